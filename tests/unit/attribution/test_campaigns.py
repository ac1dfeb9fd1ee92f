"""What channels and campaigns brought and cost, by model and window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from o2o_mining.attribution.credit.campaigns import campaign_attribution
from o2o_mining.attribution.credit.ledger import ledger
from o2o_mining.attribution.credit.windows import window_starts
from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.events import TOUCH_MODELS
from tests.unit.attribution.worlds import AS_OF, REFUNDED, Buy, Touch, World

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine

ALL, D90, D30 = window_starts(AS_OF)


def _at(days_before_as_of: float) -> datetime:
    return datetime(2017, 7, 1) - timedelta(days=days_before_as_of)


def _campaign(name: str, starts: float = 100, channel: str | None = None) -> dict[str, Any]:
    return {"campaign_id": name, "channel": channel, "starts_at": _at(starts), "ends_at": _at(starts - 1)}


def _cost(name: str, channel: str, days_before: int, cost: str) -> dict[str, Any]:
    spent_on = AS_OF - timedelta(days=days_before)
    return {"campaign_id": name, "channel": channel, "spent_on": spent_on, "cost": Decimal(cost)}


def _contact(name: str, channel: str, days_before: float, cost: str | None, campaign: str | None) -> dict[str, Any]:
    return {
        "touch_id": name, "customer_id": "ann", "touched_at": _at(days_before), "channel": channel,
        "campaign_id": campaign, "action": "click", "cost": None if cost is None else Decimal(cost),
    }  # fmt: skip


def _mined(engine: DuckDBEngine, world: World, *, models: Sequence[str] = TOUCH_MODELS, as_of: date = AS_OF) -> Any:
    """Return the table by window, model, level and id; Any, since the stubs of pandas know no such index."""
    rows = campaign_attribution(world.known(), as_of=as_of, lookback_days=30, models=models)
    frame: pd.DataFrame = engine.execute(rows)
    for name in ("window_start", "window_end"):
        frame[name] = pd.to_datetime(frame[name]).dt.date
    return frame.set_index(["window_start", "model", "level", "id"]).sort_index()


def _buy(name: str, days_before: float, *touches: tuple[str, str | None], **facts: Any) -> Buy:
    at = _at(days_before)
    placed = [
        Touch(f"{name}-{place}", at - timedelta(hours=len(touches) - place), channel, campaign)
        for place, (channel, campaign) in enumerate(touches)
    ]
    return Buy(name, placed, at=at, **facts)


WORLD = World(
    buys=[
        _buy("o:1", 5, ("search", "c1"), ("map", None), paid="10.01"),
        _buy("o:2", 60, ("map", "c2"), ("search", "c1"), ("search", "c1"), paid="20.00"),
        _buy("o:3", 200, ("video", "ghost"), paid="30.00", refunded="12.00", refunded_at=REFUNDED),
        _buy("o:4", 1, paid=None),
        _buy("o:5", 2, ("search", None), paid="0.00"),
        _buy("o:6", 29, ("map", "c1"), paid="1.00", refunded="1.50", refunded_at=REFUNDED),
    ],
    unconverted=[Touch("u1", _at(80), "radio", "c3")],
    campaigns=[_campaign("c1"), _campaign("c2", channel="map"), _campaign("c3"), _campaign("later", starts=0)],
    campaign_costs=[
        _cost("c1", "search", 10, "4.00"),
        _cost("c1", "search", 40, "6.00"),
        _cost("c3", "radio", 80, "5.00"),
        _cost("c1", "search", 0, "1000.00"),
        _cost("orphan", "tv", 95, "7.00"),
    ],
)


@pytest.fixture(scope="module")
def mined(engine: DuckDBEngine) -> Any:
    return _mined(engine, WORLD)


def test_windows_end_at_as_of() -> None:
    assert [str(day) for day in window_starts(date(2018, 1, 1))] == ["1970-01-01", "2017-10-03", "2017-12-02"]


def test_every_channel_and_campaign_has_a_row_in_every_window_and_model(mined: Any) -> None:
    channels = ["direct", "map", "radio", "search", "tv", "video"]
    campaigns = ["(none)", "c1", "c2", "c3", "ghost", "orphan"]
    expected = {
        (start, model, level, name)
        for start in (ALL, D90, D30)
        for model in TOUCH_MODELS
        for level, names in (("channel", channels), ("campaign", campaigns))
        for name in names
    }
    assert set(mined.index) == expected
    assert mined.index.is_unique
    assert set(mined["window_end"]) == {AS_OF}
    assert set(mined["lookback_days"]) == {30}


def test_channel_totals_are_reckoned_by_hand(mined: Any) -> None:
    row = mined.loc[(ALL, "linear", "channel", "search")]
    # Half of o:1 (5.00, the later touch has the cent), two thirds of o:2 (6.67 + 6.67), all of o:5.
    assert (str(row["revenue"]), str(row["refunds"]), str(row["net_revenue"])) == ("18.34", "0.00", "18.34")
    assert row["conversions"] == pytest.approx(0.5 + 2 / 3 + 1)
    assert row["share"] == pytest.approx((0.5 + 2 / 3 + 1) / 6)
    assert str(row["cost"]) == "10.00"
    assert row["roas"] == pytest.approx(1.834)
    assert row["cpa"] == pytest.approx(10 / (0.5 + 2 / 3 + 1))


def test_campaign_totals_are_reckoned_by_hand(mined: Any) -> None:
    none = mined.loc[(ALL, "last", "campaign", "(none)")]
    assert (none["conversions"], str(none["revenue"]), str(none["cost"])) == (3.0, "10.01", "0.00")
    ghost = mined.loc[(ALL, "last", "campaign", "ghost")]
    assert (str(ghost["revenue"]), str(ghost["refunds"]), str(ghost["net_revenue"])) == ("30.00", "12.00", "18.00")


def test_refunds_count_in_the_window_of_their_conversion(mined: Any) -> None:
    assert str(mined.loc[(D90, "last", "channel", "video")]["refunds"]) == "0.00"
    inside = mined.loc[(D30, "last", "channel", "map")]
    assert (str(inside["refunds"]), str(inside["net_revenue"])) == ("1.50", "9.51")


def test_cost_and_revenue_are_of_the_same_window(mined: Any) -> None:
    costs = {start: str(mined.loc[(start, "last", "channel", "search")]["cost"]) for start in (ALL, D90, D30)}
    assert costs == {ALL: "10.00", D90: "10.00", D30: "4.00"}
    assert str(mined.loc[(D90, "last", "channel", "tv")]["cost"]) == "0.00"


def test_a_channel_with_spend_and_no_conversion_has_a_return_of_0(mined: Any) -> None:
    radio = mined.loc[(D90, "linear", "channel", "radio")]
    assert (radio["conversions"], str(radio["cost"]), radio["roas"]) == (0.0, "5.00", 0.0)
    assert pd.isna(radio["cpa"])
    campaign = mined.loc[(D90, "linear", "campaign", "c3")]
    assert (str(campaign["cost"]), campaign["roas"]) == ("5.00", 0.0)


def test_return_and_cost_per_conversion_are_unknown_where_nothing_was_spent(mined: Any) -> None:
    row = mined.loc[(ALL, "last", "channel", "map")]
    assert (str(row["cost"]), row["conversions"]) == ("0.00", 2.0)
    assert pd.isna(row["roas"])
    assert pd.isna(row["cpa"])


def test_two_conversions_add_up_to_2(engine: DuckDBEngine) -> None:
    world = World([_buy("o:1", 3, ("a", "x"), ("b", "x"), ("c", None), paid="9000.00"), _buy("o:2", 3, ("a", "x"))])
    found = _mined(engine, world)
    sums = found.groupby(["window_start", "model", "level"])["conversions"].sum()
    assert sums.tolist() == pytest.approx([2.0] * len(sums))


def test_assisted_conversions_have_the_id_in_the_path_but_not_last(mined: Any) -> None:
    found = mined["assisted_conversions"].xs("linear", level="model").unstack("window_start").loc["channel"]
    assert found[ALL].to_dict() == {"direct": 0, "map": 1, "radio": 0, "search": 1, "tv": 0, "video": 0}
    assert found[D30].to_dict() == {"direct": 0, "map": 0, "radio": 0, "search": 1, "tv": 0, "video": 0}
    campaigns = mined["assisted_conversions"].loc[(ALL, "last", "campaign")]
    assert campaigns.to_dict() == {"(none)": 0, "c1": 1, "c2": 1, "c3": 0, "ghost": 0, "orphan": 0}


def test_totals_are_those_of_the_ledger(engine: DuckDBEngine, mined: Any) -> None:
    booked = engine.execute(ledger(*WORLD.events()))
    booked["campaign_id"] = booked["campaign_id"].fillna("(none)")
    for level, column in (("channel", "channel"), ("campaign", "campaign_id")):
        for (model, name), rows in booked.groupby(["model", column]):
            row = mined.loc[(ALL, model, level, name)]
            assert row["net_revenue"] == sum(rows["amount"])
            assert row["revenue"] == sum(rows.loc[rows["kind"] == "credit", "amount"])
            assert row["conversions"] == pytest.approx(rows["conversions"].sum(), abs=1e-9)


def test_every_model_and_level_adds_up_to_all_revenue(mined: Any) -> None:
    sums = mined.loc[ALL].groupby(["model", "level"])[["revenue", "refunds", "net_revenue"]].sum()
    assert {tuple(map(str, row)) for row in sums.itertuples(index=False)} == {("61.01", "13.50", "47.51")}
    shares = mined.groupby(["window_start", "model", "level"])["share"].sum()
    assert shares.tolist() == pytest.approx([1.0] * len(shares))


def test_a_late_refund_changes_the_next_run(engine: DuckDBEngine) -> None:
    before = World([_buy("o:1", 5, ("map", None), paid="10.00")])
    after = World([_buy("o:1", 5, ("map", None), paid="10.00", refunded="4.00", refunded_at=_at(-3))])
    key = (ALL, "last", "channel", "map")
    assert str(_mined(engine, before).loc[key]["net_revenue"]) == "10.00"
    late = date(2017, 7, 5)
    changed = _mined(engine, after, as_of=late).loc[key]
    assert (str(changed["revenue"]), str(changed["refunds"]), str(changed["net_revenue"])) == ("10.00", "4.00", "6.00")


def test_without_campaign_costs_the_touches_say_the_cost(engine: DuckDBEngine) -> None:
    world = World(
        [_buy("o:1", 5, ("map", "c1"), paid="10.00")],
        touches=[
            _contact("t1", "map", 6, "0.30", "c1"),
            _contact("t2", "map", 40, "0.20", None),
            _contact("t3", "tv", 2, "1.00", "c9"),
            _contact("t4", "tv", 2, None, "quiet"),
            _contact("t5", "map", -1, "99.00", "c1"),
        ],
        # A cost at or after as_of is not known yet.
        campaign_costs=[_cost("c1", "map", 0, "55.00")],
    )
    found = _mined(engine, world, models=("last",)).loc[(slice(None), "last"), "cost"].map(str)
    assert found[(ALL, "last", "channel")].to_dict() == {"direct": "0.00", "map": "0.50", "tv": "1.00"}
    assert found[(ALL, "last", "campaign")].to_dict() == {"(none)": "0.20", "c1": "0.30", "c9": "1.00"}
    assert found[(D30, "last", "campaign")].to_dict() == {"(none)": "0.00", "c1": "0.30", "c9": "1.00"}


def test_without_any_cost_the_cost_is_unknown(engine: DuckDBEngine) -> None:
    world = World([_buy("o:1", 5, ("map", "c1"))], touches=[_contact("t1", "map", 6, None, "c1")])
    found = _mined(engine, world, models=("last",))
    assert found[["cost", "roas", "cpa"]].isna().all().all()


def test_without_purchases_there_are_only_zeros(engine: DuckDBEngine) -> None:
    found = _mined(engine, World(campaigns=[_campaign("c1", channel="sms")]), models=("last",))
    assert set(found.loc[(ALL, "last")].index) == {
        ("channel", "direct"), ("channel", "sms"), ("campaign", "(none)"), ("campaign", "c1"),
    }  # fmt: skip
    assert found["share"].tolist() == [0.0] * len(found)
    assert set(map(str, found["revenue"])) == {"0.00"}


def test_a_campaign_that_starts_later_is_listed_only_where_it_earned_or_spent(engine: DuckDBEngine) -> None:
    world = World(
        [_buy("o:1", 5, ("map", "early bird"), paid="10.00")],
        campaigns=[_campaign(name, starts=-7) for name in ("early bird", "prepaid", "quiet")],
        campaign_costs=[_cost("prepaid", "map", 3, "4.00"), _cost("in no feed", "tv", 3, "1.00")],
    )
    found = _mined(engine, world, models=("last",)).loc[(D30, "last", "campaign")]
    assert set(found.index) == {"(none)", "early bird", "in no feed", "prepaid"}
    assert (str(found.loc["early bird", "revenue"]), str(found.loc["prepaid", "cost"])) == ("10.00", "4.00")


def test_a_channel_touched_lately_is_seen_before_any_journey_ends(engine: DuckDBEngine) -> None:
    found = _mined(engine, World(touches=[_contact("t1", "kiosk", 1, None, None)]), models=("last",))
    assert (ALL, "last", "channel", "kiosk") in found.index


def test_the_edges_of_the_windows_are_midnights(engine: DuckDBEngine) -> None:
    moments = {"o:1": 90.0, "o:2": 90 + 1e-5, "o:3": 30.0, "o:4": 30 + 1e-5}
    world = World([_buy(name, days, ("map", None)) for name, days in moments.items()])
    found = _mined(engine, world, models=("last",))["conversions"].xs("map", level="id").droplevel(["model", "level"])
    assert found.to_dict() == {ALL: 4.0, D90: 3.0, D30: 1.0}


def test_the_table_fits_its_contract(engine: DuckDBEngine) -> None:
    engine.write(
        "campaign_attribution", campaign_attribution(WORLD.known(), as_of=AS_OF, lookback_days=30), as_of=AS_OF
    )
    assert engine.violations(contract("campaign_attribution"), as_of=AS_OF) == []
