"""``o2o doctor``: is everything there that a run needs?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from o2o_mining.cli.output import FAILED, home_option, json_option, print_json, reporting_errors, typed
from o2o_mining.core.errors import O2OError
from o2o_mining.core.settings import Settings, read_settings
from o2o_mining.engine.home import home_path, usual_homes
from o2o_mining.engine.origin import read_origin, rerun
from o2o_mining.engine.snapshot import damaged_files, read_manifest
from o2o_mining.engine.warehouse import holder
from o2o_mining.ingest.sources import source_of

_PACKAGES = ("duckdb", "ibis-framework", "pandas", "pyarrow", "scikit-learn", "mlxtend", "dagster", "plotly")
_FREE_GB = 2
_GIB = 2**30

Finding = tuple[str, bool, str]


@click.command()
@home_option
@json_option
@reporting_errors
def doctor(home: str | None, as_json: bool) -> None:
    """Check the installation and a home; exit code 1 if anything stands in the way of a run."""
    path = home_path(home) if home or os.environ.get("O2O_HOME") or usual_homes() else None
    findings = [*_installation(), *_home(path or Path("var"))]
    healthy = all(fine for _, fine, _ in findings)
    if as_json:
        print_json({"healthy": healthy, "findings": [{"what": w, "fine": f, "said": s} for w, f, s in findings]})
    else:
        for what, fine, said in findings:
            click.echo(f"  {'ok ' if fine else 'BAD'}  {what}: {said}")
        again = f"o2o doctor --home {path}" if path else "o2o doctor"
        run = rerun(path) if path else "o2o run"
        click.echo(f"Everything is there. Next: {typed(run)}" if healthy else f"Mend what is BAD, then: {typed(again)}")
    if not healthy:
        sys.exit(FAILED)


def _installation() -> Iterator[Finding]:
    yield "python", sys.version_info >= (3, 11), platform.python_version()
    for package in _PACKAGES:
        try:
            yield package, True, version(package)
        except PackageNotFoundError:
            yield package, False, f"not installed; pip install {package}"


def _home(path: Path) -> Iterator[Finding]:
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    yield (
        "home",
        os.access(existing, os.W_OK),
        f"{path} {'can' if os.access(existing, os.W_OK) else 'cannot'} be written",
    )
    free = shutil.disk_usage(existing).free / _GIB
    yield "disk", free >= _FREE_GB, f"{free:.1f} GB free"
    try:
        read_settings(path, Settings())
        yield "settings", True, "readable"
    except O2OError as error:
        yield "settings", False, str(error)
    held = holder(path)
    yield "warehouse", True, f"held by {held}" if held else "free"
    bound = read_origin(path)
    if bound:
        yield _source(bound["source"], bound["input"])
        yield _snapshot(path)


def _source(kind: str, place: str) -> Finding:
    try:
        found = source_of(kind, Path(place) if place else None).find()
    except O2OError as error:
        return "source", False, str(error)
    return "source", True, f"{kind} {place}".rstrip() + f", {len(found.inputs)} files, {len(found.ignored)} ignored"


def _snapshot(path: Path) -> Finding:
    try:
        manifest = read_manifest(path / "snapshots")
    except O2OError as error:
        return "snapshot", False, str(error)
    damaged = damaged_files(path / "snapshots", manifest)
    if damaged:
        return "snapshot", False, f"{len(damaged)} files are missing or damaged, first {damaged[0]}; run again"
    return "snapshot", True, manifest["snapshot"]
