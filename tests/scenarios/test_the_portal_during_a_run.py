"""The portal answers while a run writes the warehouse and publishes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from o2o_mining.portal import Access, make_app
from pipelines.execution import Outcome

# The homes before and after are those of the tests of folders.
pytestmark = pytest.mark.xdist_group("folder")

READS, READERS = 1_000, 3
LONGEST = 300  # seconds until it is a failure, not a slow machine
PASSWORD = "four words in a row"  # noqa: S105 - of a made-up user
_DAY = re.compile(r"Segments as of (\w+ \d+, \d+)")
PAGES = (
    "/", "/segments", "/segments?scheme=lifecycle", "/segments/rfm/hibernating", "/offers",
    "/campaigns", "/campaigns?model=linear", "/merchants", "/merchants/noodle", "/conversions/o:o1",
    "/quality", "/quality/quarantine",
)  # fmt: skip


def _logged_in(portal: TestClient, access: Access) -> None:
    user = access.users.add("mia", "marketer", ())
    access.users.set_password(user.id, PASSWORD)
    token = portal.get("/login").text.partition('name="form_token" value="')[2].partition('"')[0]
    answer = portal.post("/login", data={"form_token": token, "name": "mia", "password": PASSWORD})
    assert answer.status_code == 200, answer.text


def test_a_thousand_reads_during_a_run_find_the_day_before_or_the_new_one_and_no_error(
    early: Outcome, shop: Outcome, tmp_path: Path
) -> None:
    home, feeds = tmp_path / "home", shop.home.parent / "in"
    shutil.copytree(early.home, home)
    access = Access(tmp_path / "access")
    portal = TestClient(make_app(home, access))
    _logged_in(portal, access)

    found: Counter[int] = Counter()
    shown: set[str] = set()
    latest = time.monotonic() + LONGEST
    command = [sys.executable, "-m", "o2o_mining.cli", "run", "--source", "folder", "--input", str(feeds)]
    with subprocess.Popen(  # noqa: S603 - fixed words
        [*command, "--home", str(home)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:

        def is_due() -> bool:
            # What a run publishes in its last moments is opened beside, while pages of before are still given.
            is_missing = found.total() < READS or len(shown) < 2
            return running.poll() is None or (is_missing and time.monotonic() < latest)

        def read() -> None:
            number = 0
            while is_due():
                answer = portal.get(PAGES[number % len(PAGES)])
                found[answer.status_code] += 1
                shown.update(_DAY.findall(answer.text))
                number += 1

        readers = [threading.Thread(target=read) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        said, _ = running.communicate()
        for reader in readers:
            reader.join()
    assert running.returncode == 0, said
    assert found.total() >= READS
    assert set(found) == {200}
    assert shown == {"Mar 7, 2024", "Mar 21, 2024"}
