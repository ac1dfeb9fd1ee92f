"""What is published now is what pages show, also while a run publishes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from o2o_mining.core.errors import HomeError
from o2o_mining.portal import downloads, pages
from o2o_mining.portal.app import keep_ready
from o2o_mining.portal.snapshot import Snapshots
from tests.unit.exports.publishing import publish_tables
from tests.unit.exports.rows import DAY, member
from tests.unit.portal.conftest import Visit


def _publish(home: Path, members: int) -> None:
    publish_tables(home, {"segments": [member(f"c{number}") for number in range(members)]})


def _counted(snapshots: Snapshots) -> int:
    return int(snapshots.current().rows("SELECT count(*) AS n FROM segments")[0]["n"])


def _counted_at_last(snapshots: Snapshots) -> int:
    """Count again until what was opened beside is there."""
    before = snapshots.current()
    for _ in range(500):
        if snapshots.current() is not before:
            break
        time.sleep(0.01)
    return _counted(snapshots)


def test_a_snapshot_is_prepared_before_anybody_sees_it(tmp_path: Path) -> None:
    _publish(tmp_path, 1)
    prepared: list[str] = []
    snapshots = Snapshots(tmp_path, lambda snapshot: prepared.append(snapshot.name))
    assert prepared == []
    assert [snapshots.current().name] == prepared


def test_a_new_snapshot_is_read_without_a_restart_and_an_old_one_can_still_be_read(tmp_path: Path) -> None:
    _publish(tmp_path, 1)
    snapshots = Snapshots(tmp_path)
    old = snapshots.current()
    assert _counted(snapshots) == 1
    _publish(tmp_path, 2)
    assert _counted_at_last(snapshots) == 2
    assert old.rows("SELECT count(*) AS n, 1 AS other FROM segments")[0]["n"] == 1


def test_the_same_snapshot_published_again_is_not_opened_again(tmp_path: Path) -> None:
    _publish(tmp_path, 1)
    snapshots = Snapshots(tmp_path)
    first = snapshots.current()
    _publish(tmp_path, 1)
    assert snapshots.current() is first


def test_what_was_asked_once_is_not_asked_again(tmp_path: Path) -> None:
    _publish(tmp_path, 1)
    snapshot = Snapshots(tmp_path).current()
    assert snapshot.rows("SELECT random() AS r") == snapshot.rows("SELECT random() AS r")


def test_many_readers_see_one_snapshot_or_the_next_and_no_error(tmp_path: Path) -> None:
    _publish(tmp_path, 1)
    snapshots = Snapshots(tmp_path)
    seen: list[int] = []
    errors: list[BaseException] = []

    def read() -> None:
        try:
            for number in range(25):
                rows = snapshots.current().rows("SELECT count(*) AS n, ? AS i FROM segments", number)
                seen.append(rows[0]["n"])
                assert snapshots.current().days("segments") == [DAY]
        except BaseException as error:  # noqa: BLE001 - an error of any kind is what must not be
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    _publish(tmp_path, 2)
    for reader in readers:
        reader.join()
    assert errors == []
    assert set(seen) <= {1, 2}
    assert _counted_at_last(snapshots) == 2


def test_who_is_on_large_lists_is_known_before_anybody_asks(
    visit: Visit, stocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (pages.segments, pages.offers):
        monkeypatch.setattr(module, "LARGE", 60)
    visitor = visit(stocked).as_role("marketer")
    over = threading.Event()
    over.set()
    keep_ready(visitor.client.app._app.state.portal, over)  # type: ignore[attr-defined]
    monkeypatch.setattr(downloads, "_SLOTS", None)  # whatever is made out now fails
    assert "Customers on the list</dt><dd>59<" in visitor.get("/download/segments/rfm/champions?as=xlsx").text
    assert "Offers on the list</dt><dd>58<" in visitor.get("/download/offers/g%2F1").text
    with pytest.raises(TypeError):
        visitor.get("/download/segments/rfm/lost")


def test_nothing_is_read_ahead_where_nothing_is_published(visit: Visit, tmp_path: Path) -> None:
    over = threading.Event()
    over.set()
    keep_ready(visit(tmp_path).client.app._app.state.portal, over)  # type: ignore[attr-defined]
    assert not (tmp_path / "snapshots").exists()


def test_a_home_without_a_snapshot_says_what_to_run(tmp_path: Path, visit: Visit) -> None:
    with pytest.raises(HomeError, match="nothing is published"):
        Snapshots(tmp_path).current()
    answer = visit(tmp_path).as_role("analyst").get("/segments")
    assert answer.status_code == 503
    assert "Nothing has been published yet" in answer.text
    assert "o2o run" in answer.text
