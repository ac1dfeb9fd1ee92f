"""Lets lists leave through the portal: first who would be left out and why, then the file, which is not kept.

What may be on a list is decided by the room of exports alone.
"""

from __future__ import annotations

import shutil
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from o2o_mining.engine.home import Home
from o2o_mining.exports import FORMATS, ExportReport, NobodyError, Order, export_offers, platforms
from o2o_mining.offers import reason_text
from o2o_mining.portal.access.store import FOLDER

if TYPE_CHECKING:
    from starlette.responses import Response

    from o2o_mining.portal.access.viewer import Viewer
    from o2o_mining.portal.portal import Portal

_DOWNLOADS = "downloads"
# A large list takes seconds of a core; more than two at once would slow the pages down.
_SLOTS = threading.Semaphore(2)

# To make out who is on a list of so many takes longer than a page may.
LARGE = 50_000

# Makes a list as it is ordered from a home as published.
Making = Callable[[Home, Order], ExportReport]


@dataclass(frozen=True)
class Preview:
    """What a list would hold.

    Attributes
    ----------
    rows, left_out
        Rows of it, and those left out by reason code.
    problem
        Why there would be no list; empty if there would be one.
    """

    rows: int
    left_out: Mapping[str, int]
    problem: str = ""


def ordered(portal: Portal, viewer: Viewer, asked: Mapping[str, str], language: str) -> Order:
    """Return what a form or an address asks for: ``as`` is a format for people or a platform.

    Raises
    ------
    UsageError
        If there is no such format or platform.
    """
    wanted = asked.get("as", FORMATS[0])
    platform = wanted if wanted in platforms() else ""
    return Order(
        portal.settings,
        format=FORMATS[0] if platform else wanted,
        language=None if platform else language,
        requested_by=viewer.name,
        platform=platform,
    )


def offers_list(campaign_id: str | None) -> Making:
    """Return what makes the list of the offers of one campaign, or of all."""

    def make(home: Home, order: Order) -> ExportReport:
        return export_offers(home, order, reason_text=reason_text, campaign=campaign_id)

    return make


def previewed(portal: Portal, key: str, order: Order, making: Making) -> Preview:
    """Return what a list would hold; on one snapshot it is made out once.

    Parameters
    ----------
    portal
        The portal.
    key
        What the list is of.
    order, making
        How it is ordered and made.
    """
    # For people the format changes nothing about who is listed, and Parquet is made fastest.
    plain = replace(order, dry_run=True, format=order.format if order.platform else "parquet", requested_by="")

    def look() -> Preview:
        with _SLOTS:
            home = Home(portal.home)
            try:
                report = making(home, plain)
                return Preview(report.rows, report.left_out)
            except NobodyError as error:
                return Preview(0, error.left_out, error.message)
            finally:
                home.close()

    return portal.snapshot.once(("preview", key, plain.platform, order.settings), look)


def downloaded(portal: Portal, viewer: Viewer, subject: str, order: Order, making: Making) -> Response:
    """Return a list as a file that is read from the disk while it is sent, and removed then; several are packed as one.

    Parameters
    ----------
    portal, viewer
        The portal, and who asks.
    subject
        What the list is of, for the log.
    order, making
        How it is ordered and made.

    Raises
    ------
    O2OError
        If nobody may be on it.
    """
    (portal.home / FOLDER / _DOWNLOADS).mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=portal.home / FOLDER / _DOWNLOADS))
    try:
        with _SLOTS:
            home = Home(portal.home, spill_to=folder / "spilled")
            try:
                report = making(home, replace(order, out=folder))
            finally:
                home.close()
        file = report.files[0] if len(report.files) == 1 else _packed(folder, report)
    except BaseException:
        shutil.rmtree(folder)
        raise
    said = report.manifest
    portal.access.audit.note(
        "download", user=viewer.name, address=viewer.address, subject=subject,
        detail=f"{file.name}, {report.rows} rows, snapshot {said['snapshot']}, sha256 {said['sha256']}",
    )  # fmt: skip
    return FileResponse(
        file,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"},
        background=BackgroundTask(shutil.rmtree, folder),
    )


def clear_downloads(home: Path) -> None:
    """Remove what an end without warning left of downloads."""
    shutil.rmtree(home / FOLDER / _DOWNLOADS, ignore_errors=True)


def _packed(folder: Path, report: ExportReport) -> Path:
    target = folder / f"{report.path.name.partition('.')[0]}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in report.files:
            archive.write(file, file.name)
    return target
