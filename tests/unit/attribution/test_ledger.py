"""The ledger: who is credited, and that it adds up to the cent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_mining.attribution.credit.ledger import ledger
from o2o_mining.attribution.credit.paths import attribute
from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.core.errors import UsageError
from tests.unit.attribution.worlds import (
    BOUGHT,
    REFUNDED,
    Buy,
    Touch,
    World,
    expected_cents,
    expected_shares,
)

if TYPE_CHECKING:
    from o2o_mining.engine.duckdb import DuckDBEngine

EXACT_MODELS = tuple(model for model in TOUCH_MODELS if model != "time_decay")


def _touches(*channels: str, gaps_days: Iterable[float] | None = None) -> list[Touch]:
    gaps = list(gaps_days) if gaps_days is not None else [len(channels) - place for place in range(len(channels))]
    return [
        Touch(f"t{place}", BOUGHT - timedelta(days=gap), channel)
        for place, (channel, gap) in enumerate(zip(channels, gaps, strict=True))
    ]


def _ledger(engine: DuckDBEngine, *buys: Buy, models: tuple[str, ...] = TOUCH_MODELS) -> pd.DataFrame:
    frame: pd.DataFrame = engine.execute(ledger(*World(buys).events(), models=models))
    return frame.sort_values("entry_id", ignore_index=True)


def _amounts(rows: pd.DataFrame, kind: str = "credit") -> list[str]:
    return [str(amount) for amount in rows[rows["kind"] == kind].sort_values("touch_id")["amount"]]


@pytest.mark.parametrize(
    ("model", "amounts"),
    [
        ("first", {"t0": "0.99"}),
        ("last", {"t3": "0.99"}),
        ("last_non_direct", {"t2": "0.99"}),
        # 24.75 cents each: three of the four get the cent that is left, the earliest does not.
        ("linear", {"t0": "0.24", "t1": "0.25", "t2": "0.25", "t3": "0.25"}),
        # 39.6, 9.9, 9.9, 39.6: the two of .9 first, then the later of .6.
        ("position", {"t0": "0.39", "t1": "0.10", "t2": "0.10", "t3": "0.40"}),
        # 19.8, 9.9, 9.9, 59.4.
        ("j_shaped", {"t0": "0.20", "t1": "0.10", "t2": "0.10", "t3": "0.59"}),
    ],
)
def test_four_touches_share_99_cents_as_reckoned_by_hand(
    engine: DuckDBEngine, model: str, amounts: dict[str, str]
) -> None:
    buy = Buy("o:1", _touches("search", "map", "video", "direct"), paid="0.99")
    found = _ledger(engine, buy, models=(model,))
    assert {row.touch_id: str(row.amount) for row in found.itertuples()} == amounts


def test_time_decay_gives_the_golden_case(engine: DuckDBEngine) -> None:
    buy = Buy("o:1", _touches("a", "b", "c", "d", gaps_days=[9, 6, 0, 0]), paid="50.00")
    assert _amounts(_ledger(engine, buy, models=("time_decay",))) == ["6.92", "9.32", "16.88", "16.88"]


def test_touches_at_one_moment_go_by_touch_id(engine: DuckDBEngine) -> None:
    at = BOUGHT - timedelta(days=1)
    buy = Buy("o:1", [Touch("b", at, "map"), Touch("c", at, "video"), Touch("a", at, "search")])
    found = _ledger(engine, buy, models=("first", "last")).set_index("model")
    assert found["channel"].to_dict() == {"first": "search", "last": "video"}


def test_all_direct_credits_the_last_direct_touch(engine: DuckDBEngine) -> None:
    found = _ledger(engine, Buy("o:1", _touches("direct", "direct")), models=("last_non_direct",))
    assert found["touch_id"].tolist() == ["t1"]


def test_one_cent_over_three_touches_goes_to_the_last(engine: DuckDBEngine) -> None:
    found = _ledger(engine, Buy("o:1", _touches("a", "b", "c"), paid="0.01"), models=("linear",))
    assert _amounts(found) == ["0.00", "0.00", "0.01"]


def test_equal_remainders_tie_to_the_later_touch(engine: DuckDBEngine) -> None:
    # 6.4, 1.0667 three times, 6.4: one cent is left, and the later of the two of .4 has it.
    found = _ledger(engine, Buy("o:1", _touches("a", "b", "c", "d", "e"), paid="0.16"), models=("position",))
    assert _amounts(found) == ["0.06", "0.01", "0.01", "0.01", "0.07"]


def test_remainders_that_differ_by_noise_only_are_a_tie(engine: DuckDBEngine) -> None:
    # 0.8, 0.4, 0.4, 2.4: one cent for .8 and one for the last of the three .4, though 2.4 - 2 < 0.4 in float64.
    found = _ledger(engine, Buy("o:1", _touches("a", "b", "c", "d"), paid="0.04"), models=("j_shaped",))
    assert _amounts(found) == ["0.01", "0.00", "0.00", "0.03"]


def test_a_purchase_without_a_touch_is_credited_to_direct(engine: DuckDBEngine) -> None:
    found = _ledger(engine, Buy("o:1", paid="12.34"))
    assert len(found) == len(TOUCH_MODELS)
    assert found["touch_id"].isna().all()
    assert found["campaign_id"].isna().all()
    assert set(found["channel"]) == {"direct"}
    assert set(map(str, found["amount"])) == {"12.34"}
    assert set(found["conversions"]) == {1.0}
    assert found["entry_id"].tolist()[0] == "first:credit:o:1:"


@pytest.mark.parametrize("paid", ["0.00", None])
def test_purchases_of_amount_0_or_null_stay_conversions(engine: DuckDBEngine, paid: str | None) -> None:
    found = _ledger(engine, Buy("o:1", _touches("a", "b", "c"), paid=paid))
    assert found.groupby("model")["conversions"].sum().to_list() == pytest.approx([1.0] * len(TOUCH_MODELS))
    assert set(map(str, found["amount"])) == {"0.00"}


def test_a_refund_is_booked_at_its_own_time_by_the_same_shares(engine: DuckDBEngine) -> None:
    buy = Buy("o:1", _touches("a", "b", "c"), paid="10.00", refunded="5.00", refunded_at=REFUNDED)
    found = _ledger(engine, buy, models=("linear",))
    assert _amounts(found) == ["3.33", "3.33", "3.34"]
    assert _amounts(found, "refund") == ["-1.66", "-1.67", "-1.67"]
    assert found.groupby("kind")["share"].sum().to_dict() == pytest.approx({"credit": 1.0, "refund": 1.0})
    assert found.groupby("kind")["conversions"].sum().to_dict() == pytest.approx({"credit": 1.0, "refund": 0.0})
    times = found.groupby("kind")["credited_at"].unique().map(list).to_dict()
    assert times == {"credit": [pd.Timestamp(BOUGHT)], "refund": [pd.Timestamp(REFUNDED)]}


def test_a_refund_may_be_more_than_was_paid_or_known(engine: DuckDBEngine) -> None:
    over = Buy("o:1", _touches("a", "b"), paid="1.00", refunded="3.01", refunded_at=REFUNDED)
    unknown = Buy("o:2", _touches("a", "b"), paid=None, refunded="3.01", refunded_at=REFUNDED)
    found = _ledger(engine, over, unknown)
    sums = found[found["kind"] == "refund"].groupby(["model", "purchase_id"])["amount"].sum()
    assert set(map(str, sums)) == {"-3.01"}


def test_a_refund_of_nothing_still_has_its_rows(engine: DuckDBEngine) -> None:
    found = _ledger(engine, Buy("o:1", _touches("a"), refunded_at=REFUNDED), models=("last",))
    assert found["kind"].tolist() == ["credit", "refund"]
    assert _amounts(found, "refund") == ["0.00"]


def test_touches_without_a_share_have_no_row(engine: DuckDBEngine) -> None:
    found = _ledger(engine, Buy("o:1", _touches("a", "b", "c")))
    assert (found["share"] > 0).all()
    assert found.groupby("model").size().to_dict() == {
        "first": 1, "last": 1, "last_non_direct": 1, "linear": 3, "position": 3, "j_shaped": 3, "time_decay": 3,
    }  # fmt: skip


def test_no_two_entries_share_an_id_even_with_colons_in_ids(engine: DuckDBEngine) -> None:
    at = BOUGHT - timedelta(days=1)
    buys = [
        Buy("o:1", [Touch("2:3", at, "a")]),
        Buy("o:1:2", [Touch("3", at, "a")]),
        Buy("o:1%3A2", [Touch("3", at, "a")]),
    ]
    assert _ledger(engine, *buys)["entry_id"].is_unique


def test_touches_that_led_to_nothing_are_not_credited(engine: DuckDBEngine) -> None:
    world = World([Buy("o:1")], unconverted=_touches("a", "b"))
    assert set(engine.execute(ledger(*world.events()))["purchase_id"]) == {"o:1"}


def test_amounts_beyond_float64_are_split_exactly(engine: DuckDBEngine) -> None:
    paid = "9999999999999999.99"
    found = _ledger(engine, Buy("o:1", _touches("a", "b", "c", "d", "e", "f", "g"), paid=paid))
    gaps = [7.0 - place for place in range(7)]
    for model in TOUCH_MODELS:
        cents = [int(Decimal(a) * 100) for a in _amounts(found[found["model"] == model])]
        shares = expected_shares(model, "abcdefg", gaps)
        expected = [part for part in expected_cents(10**18 - 1, shares) if part]
        assert sum(cents) == 10**18 - 1
        # The shares of time_decay are exact to 1e-12.
        assert cents == (pytest.approx(expected, rel=1e-11) if model == "time_decay" else expected)


def test_an_unknown_model_or_half_life_is_refused() -> None:
    world = World([Buy("o:1")])
    with pytest.raises(UsageError, match="no model"):
        ledger(*world.events(), models=("markov",))
    with pytest.raises(UsageError, match="half_life_days"):
        ledger(*world.events(), half_life_days=0)


def test_the_ledger_fits_its_contract(engine: DuckDBEngine) -> None:
    buys = [
        Buy("o:1", _touches("a", "b", "direct"), paid="7.77", refunded="7.77", refunded_at=REFUNDED),
        Buy("r:2", paid=None),
    ]
    engine.write("attribution_ledger", ledger(*World(buys).events()))
    assert engine.violations(contract("attribution_ledger")) == []


_CHANNELS = st.sampled_from(["search", "map", "direct"])
_GAPS = st.one_of(st.integers(0, 30).map(float), st.floats(0, 30))
_BUYS = st.lists(
    st.tuples(
        st.lists(st.tuples(_CHANNELS, _GAPS), max_size=9),
        st.one_of(st.none(), st.integers(0, 300), st.integers(0, 10**15)),
        st.one_of(st.none(), st.integers(0, 10**6)),
    ),
    min_size=1,
    max_size=25,
)


def _bought(number: int, touches: list[tuple[str, float]], paid: int | None, refunded: int | None) -> Buy:
    in_order = sorted(touches, key=lambda touch: -touch[1])
    return Buy(
        f"o:{number:03d}",
        _touches(*(channel for channel, _ in in_order), gaps_days=[gap for _, gap in in_order]),
        paid=None if paid is None else str(Decimal(paid).scaleb(-2)),
        refunded=str(Decimal(refunded or 0).scaleb(-2)),
        refunded_at=None if refunded is None else REFUNDED,
    )


@settings(max_examples=8, deadline=None)
@given(drawn=_BUYS)
def test_every_purchase_adds_up_to_the_cent_in_every_model(
    engine: DuckDBEngine, drawn: list[tuple[list[tuple[str, float]], int | None, int | None]]
) -> None:
    buys = [_bought(number, *one) for number, one in enumerate(drawn)]
    found = _ledger(engine, *buys)
    assert found["entry_id"].is_unique
    for buy in buys:
        for model in TOUCH_MODELS:
            rows = found[(found["purchase_id"] == buy.purchase_id) & (found["model"] == model)]
            credit, refund = rows[rows["kind"] == "credit"], rows[rows["kind"] == "refund"]
            assert sum(credit["amount"]) == Decimal(buy.paid or "0.00")
            assert credit["conversions"].sum() == pytest.approx(1.0)
            assert len(refund) == (len(credit) if buy.refunded_at else 0)
            assert sum(refund["amount"]) == -Decimal(buy.refunded)
            if model in EXACT_MODELS and buy.touches:
                shares = expected_shares(model, [touch.channel for touch in buy.touches], [])
                expected = expected_cents(int(Decimal(buy.paid or "0") * 100), shares)
                kept = [part for part, share in zip(expected, shares, strict=True) if share]
                assert [int(amount * 100) for amount in credit.sort_values("touch_id")["amount"]] == kept


@settings(max_examples=3, deadline=None)
@given(drawn=_BUYS, chance=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(
    engine: DuckDBEngine, drawn: list[tuple[list[tuple[str, float]], int | None, int | None]], chance: Random
) -> None:
    buys = [_bought(number, *one) for number, one in enumerate(drawn)]
    mixed = [replace(buy, touches=chance.sample(buy.touches, len(buy.touches))) for buy in buys]
    chance.shuffle(mixed)
    pd.testing.assert_frame_equal(_ledger(engine, *buys), _ledger(engine, *mixed), check_exact=True)


def test_the_ledger_and_attribute_agree(engine: DuckDBEngine) -> None:
    gaps = [11.0, 4.0, 3.0, 0.5]
    names = ["search", "map", "direct", "search"]
    found = _ledger(engine, Buy("o:1", _touches(*names, gaps_days=gaps), paid="1000000.00"))
    paths = pd.DataFrame({"path": [" > ".join(names)], "conversions": [1], "value": [1e6], "gaps_days": [gaps]})
    for model in TOUCH_MODELS:
        rows = found[found["model"] == model]
        expected = attribute(paths, model=model).set_index("channel").to_dict("index")
        for channel, credit in rows.groupby("channel"):
            assert float(credit["amount"].sum()) == pytest.approx(expected[channel]["value"], abs=0.02)
            assert credit["conversions"].sum() == pytest.approx(expected[channel]["conversions"], abs=1e-11)


def test_moments_are_those_of_the_purchase(engine: DuckDBEngine) -> None:
    at = datetime(2016, 2, 29, 23, 59, 59, 999999)
    found = _ledger(engine, Buy("o:1", at=at), models=("last",))
    assert found["credited_at"].tolist() == [pd.Timestamp(at)]
