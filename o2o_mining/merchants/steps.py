"""The steps of the room: read contract tables, judge, write contract tables, say what came out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis
import pandas as pd
import pyarrow as pa

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.base import Engine, StepReport
from o2o_mining.engine.portable import moment
from o2o_mining.merchants.changes import WATCHED_DAYS, watch
from o2o_mining.merchants.charts import (
    actions_by_rule,
    change_timeline,
    gap_intervals,
    gaps_by_measure,
    losses,
    score_map,
)
from o2o_mining.merchants.gaps import WINDOW_DAYS, gap_trends, promise_gaps
from o2o_mining.merchants.reasons import reason_text
from o2o_mining.merchants.rules import Judging, decide, read_judging
from o2o_mining.merchants.sales import SoldFrom, merchant_sales, served_visits
from o2o_mining.merchants.scorecards import UNKNOWN, bands, scorecards, seen_shares, windows
from o2o_mining.merchants.standards import standardised
from o2o_mining.merchants.visits import PARTS, observations, with_promises
from o2o_mining.merchants.word_of_mouth import AFTER_DAYS, bad_visit_costs

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN = 10
_ORDER = ["measure", "merchant_id", "store_id", "age", "value"]


@dataclass(frozen=True)
class _Made:
    """The four tables about merchants, as frames without ``as_of``."""

    scorecards: pd.DataFrame
    gaps: pd.DataFrame
    changes: pd.DataFrame
    actions: pd.DataFrame


def build_merchant_scorecards(engine: Engine, *, as_of: date, rules_file: Path | None = None) -> list[StepReport]:
    """Write ``merchant_scorecards``, ``promise_gaps``, ``merchant_changes`` and ``merchant_actions`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` and ``coupon_lifecycle`` as known before as_of, and the feeds.
    as_of
        Uses what was known before this UTC day.
    rules_file
        What the home says otherwise of weights, limits and rules.

    Returns
    -------
    list of StepReport
        One for each table.
    """
    judging = read_judging(rules_file)
    observed = read_observed(engine, as_of=as_of)
    made = _judged(engine, observed, judging, as_of)
    notes = _notes(engine, observed, made.scorecards)
    tables = {
        "merchant_scorecards": made.scorecards,
        "promise_gaps": made.gaps,
        "merchant_changes": made.changes,
        "merchant_actions": made.actions,
    }
    rows = {name: engine.write(name, _as_rows(name, frame), as_of=as_of) for name, frame in tables.items()}
    cards, actions = made.scorecards, made.actions
    count = cards["band"].value_counts()
    shown = cards[["merchant_id", "promise_gap", "promise_gap_low", "promise_gap_high"]]
    drawn = {"gaps": lambda: gap_intervals(cards), "scores": lambda: score_map(cards)} if len(cards) else {}
    decided = actions.assign(why=actions["reason_codes"].map(lambda codes: _said(codes, judging)))
    return [
        StepReport(
            "merchant_scorecards", rows["merchant_scorecards"], notes=notes,
            figures={"merchants": len(cards), **{band: int(count.get(band, 0)) for band in ("good", "watch", "act")}},
            samples={
                "Furthest from their promise": shown.assign(mend=cards["mend_code"].map(reason_text)).sort_values(
                    ["promise_gap", "merchant_id"], ascending=[False, True], ignore_index=True
                ).head(_SHOWN)
            } if len(cards) else {},
            charts=drawn,
        ),
        StepReport(
            "promise_gaps", rows["promise_gaps"],
            charts={"gaps_by_measure": lambda: gaps_by_measure(made.gaps)} if len(made.gaps) else {},
        ),
        StepReport(
            "merchant_changes", rows["merchant_changes"],
            figures={"found": len(made.changes), "standing": int(made.changes["lifted_on"].isna().sum())},
            charts={"changes": lambda: change_timeline(made.changes, as_of=as_of)} if len(made.changes) else {},
        ),
        StepReport(
            "merchant_actions", rows["merchant_actions"],
            figures={str(code): int(n) for code, n in actions["action_code"].value_counts().sort_index().items()},
            samples={"Decided": decided[["merchant_id", "action_code", "why"]].head(_SHOWN)} if len(actions) else {},
            charts={"actions": lambda: actions_by_rule(actions)} if len(actions) else {},
        ),
    ]  # fmt: skip


def build_bad_visit_costs(engine: Engine, *, as_of: date, rules_file: Path | None = None) -> StepReport:
    """Write ``bad_visit_costs`` as of a day.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feeds ``online_orders``, ``merchants`` and ``customers``.
    as_of
        Uses what was known before this UTC day.
    rules_file
        What the home says otherwise of the minutes that make a visit bad.
    """
    purchases = engine.known("purchases", as_of)
    since = as_of - timedelta(days=WATCHED_DAYS + AFTER_DAYS)
    people = engine.feed("customers")
    served = served_visits(
        with_promises(purchases, engine.feed("online_orders")), engine.feed("merchants"), people, since=since
    )
    # As far back again, to see who was alike before.
    earlier = moment(since - timedelta(days=2 * AFTER_DAYS))
    counting = purchases.filter(purchases.cancelled_at.isnull(), purchases.purchased_at >= earlier)
    bought = counting.select(
        "customer_id",
        at=counting.purchased_at.epoch_seconds(),
        cents=(counting.net_amount.cast("float64") * 100).round().cast("int64").fill_null(0),
    )
    people = people.filter(people.referrer_id.notnull(), people.joined_at < moment(as_of))
    friends = people.select(
        customer_id="referrer_id", friend_id="customer_id", joined_at=people.joined_at.epoch_seconds()
    )
    visits = served.mutate(at=served.consumed_at.epoch_seconds()).drop("consumed_at").order_by("purchase_id")
    limits = read_judging(rules_file).limits
    frames = (engine.execute(table) for table in (visits, bought, friends.order_by("friend_id")))
    until = int(pd.Timestamp(as_of).timestamp())
    costs = bad_visit_costs(*frames, until=until, bad_min=limits.bad_visit_min)
    rows = engine.write("bad_visit_costs", _as_rows("bad_visit_costs", costs), as_of=as_of)
    told = costs[costs["label"] == "observational"]
    notes = [
        f"no figure for {row.outcome} of {row.reach}: {row.reason_code}"
        for row in costs[costs["label"] == "refused"].itertuples()
    ]
    return StepReport(
        "bad_visit_costs", rows, notes=tuple(notes),
        figures=dict(zip(told["reach"] + ": " + told["outcome"], told["effect"].astype(float), strict=True)),
        samples={"A first bad visit, 90 days": costs}, charts={"losses": lambda: losses(told)} if len(told) else {},
    )  # fmt: skip


def read_observed(engine: Engine, *, as_of: date) -> pd.DataFrame:
    """Return what was told of visits in the year before a day, in a total order.

    Parameters
    ----------
    engine
        Holds ``purchases`` as known before as_of, and the feeds ``online_orders``, ``reviews`` and ``merchants``.
    as_of
        The day.

    Returns
    -------
    DataFrame
        ``measure, merchant_id, store_id, category, city, age, value, n``; ``age`` is 1 for the day before as_of.
    """
    told = observations(
        engine.known("purchases", as_of),
        engine.feed("online_orders"),
        engine.feed("reviews"),
        as_of=as_of,
        since=as_of - timedelta(days=WATCHED_DAYS),
    )
    rows = engine.execute(told)
    places = engine.execute(engine.feed("merchants").select("merchant_id", "category", "city"))
    rows = rows.merge(places, on="merchant_id", how="left")
    rows["age"] = (pd.Timestamp(as_of) - pd.to_datetime(rows["day"])).dt.days.astype("int64")
    rows["value"] = rows["hundredths"] / PARTS
    for name in ("category", "city"):
        rows[name] = rows[name].astype("object").fillna(UNKNOWN).astype("str")
    sorted_: pd.DataFrame = rows.drop(columns=["day", "hundredths"]).sort_values(_ORDER, ignore_index=True)
    return sorted_


def _judged(engine: Engine, observed: pd.DataFrame, judging: Judging, as_of: date) -> _Made:
    rows = standardised(observed)
    if rows.empty:
        return _Made(*(_nothing(name) for name in ("merchant_scorecards", "promise_gaps", "merchant_changes",
                                                   "merchant_actions")))  # fmt: skip
    watched = watch(rows, judging.weights, judging.limits, as_of=as_of)
    categories = observed.groupby("merchant_id")["category"].first().sort_index()
    since_age = windows(watched, categories.index, as_of=as_of)
    gaps = promise_gaps(rows, judging.weights, since_age=since_age)
    sales = _sales(engine, as_of)
    seen = seen_shares(observed, since_age, bad_min=judging.limits.bad_visit_min)
    cards = scorecards(gaps, seen, sales, watched, categories=categories)
    cards["since_on"] = [as_of - timedelta(days=int(age)) for age in since_age]
    cards = cards.join(gap_trends(rows, judging.weights))
    cards["band"] = bands(cards, judging.limits)
    cards = cards.rename_axis("merchant_id").reset_index()
    actions = _actions(cards, judging)
    cards["action_code"] = cards["merchant_id"].map(actions.set_index("merchant_id")["action_code"])
    return _Made(cards, gaps, watched.changes, actions)


def _sales(engine: Engine, as_of: date) -> pd.DataFrame:
    logs = SoldFrom(
        engine.known("purchases", as_of),
        engine.known("coupon_lifecycle", as_of),
        engine.feed("campaigns"),
        engine.feed("campaign_costs"),
        engine.feed("touches"),
    )
    sold = engine.execute(merchant_sales(logs, as_of=as_of, since=as_of - timedelta(days=WINDOW_DAYS)))
    numbers = sold.columns.drop("merchant_id")
    sold[numbers] = sold[numbers].astype("float64")
    found: pd.DataFrame = sold.set_index("merchant_id").sort_index()
    return found


def _actions(cards: pd.DataFrame, judging: Judging) -> pd.DataFrame:
    decided = decide(cards, judging.rules).merge(cards[["merchant_id", "band", "found_on", "reason_codes"]])
    decided["reason_codes"] = [
        [by, *why] for by, why in zip(decided["decided_by"], decided["reason_codes"], strict=True)
    ]
    return decided.drop(columns="decided_by")


def _notes(engine: Engine, observed: pd.DataFrame, cards: pd.DataFrame) -> tuple[str, ...]:
    told = set(observed["measure"])
    notes = [
        f"feed {feed} is {lack}: {what}"
        for feed, what in (
            ("online_orders", "no promise is known"),
            ("reviews", "stars and complaints are not known"),
            ("merchants", "all merchants are one category"),
        )
        if (lack := engine.absence(feed))
    ]
    if "wait" not in told:
        notes.append("no visit has both a promised and a known wait: waiting is not judged")
    if cards.empty:
        notes.append("no measure of a promise varies in this source: there are no scorecards")
    return tuple(notes)


def _said(codes: list[str], judging: Judging) -> str:
    return "; ".join(reason_text(code, rules=judging.rules) for code in codes)


def _nothing(name: str) -> pd.DataFrame:
    return pd.DataFrame(columns=[column for column in contract(name).column_names if column != "as_of"])


def _as_rows(name: str, frame: pd.DataFrame) -> ibis.Table:
    """Return a frame in the types of a contract, without the day."""
    schema = {column: kind for column, kind in contract(name).schema.items() if column != "as_of"}
    types = ibis.schema(schema).to_pyarrow()
    arrays = [pa.Array.from_pandas(frame[field.name].astype("object"), type=field.type) for field in types]
    return ibis.memtable(pa.table(arrays, names=list(schema)))
