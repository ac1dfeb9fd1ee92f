"""A portal as its command serves it, and a real browser in front of it: the system's Chromium."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.portal import publish
from tests.unit.exports.publishing import publish_tables
from tests.unit.portal.conftest import published_tables
from tests.unit.portal.rows import page_tables

MANY = 50_000
PASSWORD = "four words in a row"  # noqa: S105 - of a made-up user


@dataclass(frozen=True)
class Served:
    """A portal that runs: its address, and the link that its first start printed."""

    address: str
    link: str


def _served(home: Path) -> Iterator[Served]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-u", "-m", "o2o_mining.cli", "portal", "--home", str(home), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: S603 - fixed words
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        try:
            process.stdout.readline()  # where the portal is
            link = re.search(r"http://\S+/welcome\S+", process.stdout.readline())
            assert link
            for _ in range(600):
                with closing(socket.socket()) as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield Served(f"http://127.0.0.1:{port}", link[0])
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start the browser; it is a failure, and nothing to skip, if there is none."""
    path = shutil.which("chromium")
    assert path, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a home with what every page shows."""
    home = tmp_path_factory.mktemp("stocked")
    publish_tables(home, {**published_tables(), **page_tables()})
    (home / "settings.toml").write_text('currency = "TWD"\nassumed_consent = true\nglobal_holdout_share = 0.0\n')
    yield from _served(home)


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a home of 50,000 customers."""
    home = tmp_path_factory.mktemp("crowded")
    publish(home, MANY)
    yield from _served(home)


def entered(chromium: Browser, served: Served) -> Page:
    """Set the administrator's password by the link, and log in with it."""
    page = chromium.new_context(accept_downloads=True).new_page()
    page.goto(served.link)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("main button")
    if page.locator("#name").count():
        page.fill("#name", "admin")
        page.fill("#password", PASSWORD)
        page.click("main button")
    return page


@pytest.fixture(scope="session")
def reader(chromium: Browser, stocked: Served) -> Page:
    """Return a page of the stocked portal, logged in."""
    return entered(chromium, stocked)


@pytest.fixture(scope="session")
def taker(chromium: Browser, crowded: Served) -> Page:
    """Return a page of the crowded portal, logged in."""
    return entered(chromium, crowded)
