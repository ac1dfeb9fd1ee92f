"""``o2o trace`` as a user types it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from o2o_mining.cli import main
from o2o_mining.engine.origin import HOME_FILE
from o2o_mining.engine.snapshot import POINTER
from o2o_mining.tracking import mint
from o2o_mining.tracking.alphabet import grouped
from o2o_mining.tracking.keys import KEYS_FILE
from tests.unit.exports.conftest import publish
from tests.unit.exports.rows import Publish
from tests.unit.tracking.rows import CODE, KEYS, at, life

__all__ = ["publish"]


@pytest.fixture
def home(publish: Publish) -> Path:
    parcel = {"order_id": "o8", "customer_id": "+86 138 0013 8000", "merchant_id": "noodle"}
    path = publish(
        **life(
            online_orders=[parcel | {"ordered_at": at(2), "status": "paid"}],
            purchases=[parcel | {"purchase_id": "o:o8", "purchased_at": at(2), "source": "online"}],
        )
    ).path
    (path / HOME_FILE).write_text(json.dumps({"source": "folder", "input": str(path)}))
    (path / KEYS_FILE).write_text(KEYS.secrets[0].hex())
    return path


def o2o(*words: str) -> Result:
    return CliRunner().invoke(main, ["trace", *words])


def test_the_life_of_an_order_is_a_timeline_with_money_credits_and_the_next_step(home: Path) -> None:
    done = o2o(grouped(CODE), "--home", str(home))
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"Code {CODE}: genuine, good until 2024-03-31" in lines
    assert "2024-03-04 12:00:00 order o1 - - noodle 50.00 coupon ten; in_store" in lines
    assert "2024-03-08 12:00:00 refund o:o1 - spring noodle -20.00 coupon ten" in lines
    assert "1 purchase: paid 50.00, given back 20.00, left 30.00 USD" in lines
    assert "o:o1 t1 line spring 30.00 -" in lines
    assert "o:o1 t2 search spring - 30.00" in lines
    assert lines[-1].endswith(f"export table campaign_attribution --where id=spring --home {home}")
    assert "example.com" not in done.output


def test_for_machines_it_is_one_document(home: Path) -> None:
    said = json.loads(o2o("o1", "--home", str(home), "--json").stdout)
    assert [event["what"] for event in said["events"]][:3] == ["send", "touch", "receipt"]
    assert (said["paid"], said["refunded"], said["net"], said["currency"]) == ("50.00", "20.00", "30.00", "USD")
    assert said["campaigns"] == ["spring"]
    assert said["codes"][0]["code"] == CODE


def test_an_order_not_yet_consumed_says_what_is_awaited_and_hides_a_phone_used_as_an_id(home: Path) -> None:
    done = o2o("o8", "--home", str(home))
    assert "paid and not yet consumed" in done.stdout
    assert "customer <phone>" in done.stdout
    assert "8000" not in done.stdout + o2o("o8", "--home", str(home), "--json").stdout


def test_a_code_that_was_over_when_the_logs_ended_is_said_to_have_expired(home: Path) -> None:
    over = mint("bob", valid_until=date(2024, 3, 30), keys=KEYS)
    snapshots = home / "snapshots"
    manifest = snapshots / json.loads((snapshots / POINTER).read_text())["manifest"]
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"now": "2024-03-31"}))
    done = o2o(over, "--home", str(home))
    assert (done.exit_code, "the code has expired: it was good until 2024-03-30" in done.output) == (1, True), (
        done.output
    )


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("o2", 2, "nothing published in"),
        (f"{CODE[:-2]}{CODE[-1]}{CODE[-2]}", 1, "the code has a slip"),
        (CODE[:-1], 1, "19 symbols instead of 20"),
        ("ann@example.com", 2, "carries '<email>'"),
    ],
)
def test_what_nothing_carries_is_an_error_with_the_next_step(home: Path, code: str, exit_code: int, said: str) -> None:
    done = o2o(code, "--home", str(home))
    assert (done.exit_code, said in done.output, "Next:" in done.output) == (exit_code, True, True), done.output
