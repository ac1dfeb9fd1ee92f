"""The steps of the room: what they write, say and draw."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from o2o_mining.attribution.credit.models import ALL_MODELS
from o2o_mining.attribution.credit.steps import build_attribution_ledger, build_campaign_attribution
from o2o_mining.core.errors import ContractError
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from tests.unit.attribution.worlds import AS_OF, BOUGHT, REFUNDED, Buy, Touch, World

HOME = Settings(lookback_days=14)
WORLD = World(
    buys=[
        Buy(
            "o:1",
            [Touch("a", BOUGHT - timedelta(days=2), "search", "c1"), Touch("b", BOUGHT, "map")],
            refunded="4.00",
            refunded_at=REFUNDED,
        ),
        Buy("o:2"),
    ],
    campaigns=[{"campaign_id": "c1", "starts_at": BOUGHT, "ends_at": BOUGHT}],
    campaign_costs=[{"campaign_id": "c1", "channel": "search", "spent_on": BOUGHT.date(), "cost": 2}],
    touches=[{"touch_id": "a", "customer_id": "ann", "touched_at": BOUGHT, "channel": "search", "action": "click"}],
)


def _drawn(report: StepReport, chart: str) -> Any:
    return cast("Any", report.charts[chart]()).data


def test_the_ledger_is_written_and_summed_up(engine: DuckDBEngine) -> None:
    WORLD.store(engine)
    report = build_attribution_ledger(engine, settings=HOME)
    assert report.table == "attribution_ledger"
    assert report.rows == int(engine.execute(engine.read("attribution_ledger").count()))
    assert report.figures == {"purchases": 2, "refunds": 1, "lookback_days": 14}
    assert report.notes == ()
    (totals,) = report.samples.values()
    assert set(map(str, totals.loc[totals["kind"] == "credit", "amount"])) == {"20.00"}
    assert set(map(str, totals.loc[totals["kind"] == "refund", "amount"])) == {"-4.00"}
    # By the last touch: o:1 is the map's, and so is its refund; o:2 has no touch.
    bars = {(bar.name, bar.showlegend): list(bar.y) for bar in _drawn(report, "booked_by_month")}
    assert bars == {("direct", True): [10], ("direct", False): [0], ("map", True): [10], ("map", False): [-4]}


def test_campaign_attribution_is_written_and_drawn(engine: DuckDBEngine) -> None:
    WORLD.store(engine)
    report = build_campaign_attribution(engine, as_of=AS_OF, settings=HOME)
    assert report.rows == 3 * (7 * (3 + 2) + 2 * 3)
    assert report.figures == {"channels": 3, "campaigns": 1, "conversions": 2.0, "net_revenue": 16.0}
    assert report.notes == ()
    assert [sample.loc[0, "id"] for sample in report.samples.values()] == ["direct", "(none)"]
    assert [bar.name for bar in _drawn(report, "models_side_by_side")] == list(ALL_MODELS)
    # Half of the 6.00 net of o:1 is search's by linear, nothing by last; map has all of it by last.
    labels = {bar.name: dict(zip(bar.x, bar.text, strict=True)) for bar in _drawn(report, "models_side_by_side")}
    assert labels["last"] == {"direct": "last", "map": "last", "search": "last"}
    assert labels["linear"] == {"direct": "linear +0.0%", "map": "linear -50.0%", "search": "linear"}
    (returns,) = _drawn(report, "campaign_returns")
    assert list(returns.y) == ["c1"]
    assert list(returns.text) == ["ROAS 1.50"]


def test_missing_feeds_are_named() -> None:
    engine = DuckDBEngine(":memory:", HOME)
    World(WORLD.buys).store(engine)
    booked = build_attribution_ledger(engine, settings=HOME)
    mined = build_campaign_attribution(engine, as_of=AS_OF, settings=HOME)
    assert [note.split(" is missing")[0] for note in booked.notes] == ["feed touches"]
    assert [note.split(" is missing")[0] for note in mined.notes] == [
        "feed campaigns", "feed touches", "feed campaign_costs",
    ]  # fmt: skip
    assert "not known" in mined.notes[-1]
    engine.close()


def test_an_empty_home_has_empty_tables() -> None:
    engine = DuckDBEngine(":memory:", HOME)
    World().store(engine)
    assert build_attribution_ledger(engine, settings=HOME).rows == 0
    report = build_campaign_attribution(engine, as_of=AS_OF, settings=HOME)
    assert report.figures["net_revenue"] == 0.0
    report.charts["models_side_by_side"]()
    report.charts["campaign_returns"]()
    engine.close()


def test_another_day_is_refused(engine: DuckDBEngine) -> None:
    WORLD.store(engine)
    with pytest.raises(ContractError, match="does not hold"):
        build_campaign_attribution(engine, as_of=AS_OF + timedelta(days=1), settings=HOME)
