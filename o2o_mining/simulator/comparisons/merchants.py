"""Merchants: minutes beyond the promise, who is bad, how soon that was found, who was blamed, what bad visits cost."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding, auc, share_interval

_ROOM = "merchants"
_WINDOW_DAYS, _SOON_DAYS, _WATCHED_DAYS = 90, 21, 365
# Of merchants with fewer visits a day little can be told within three weeks.
_VISITS_DAILY = 5


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare gaps with the minutes that were really added, changes with their days, and costs with what was lost."""
    truth, cards = world.truth("merchant_gaps"), world.estimates("merchant_scorecards")
    yield from _costs(world)
    if truth.empty or cards.empty:
        return
    truth = truth.assign(from_on=pd.to_datetime(truth["from_on"])).sort_values(["merchant_id", "from_on"])
    last = truth.groupby("merchant_id").last()
    both = cards.set_index("merchant_id").join(last, how="inner").sort_index()
    bad = both["gap_min"] > 0
    yield Finding(_ROOM, "who is bad, by promise_gap", None, auc(both["promise_gap"], bad))
    yield from _stores(world, bad)
    yield from _actions(world, bad)
    # Where the gap began within the window, the window is a guess of when.
    steady = both[both["from_on"] <= pd.Timestamp(world.as_of) - pd.Timedelta(days=_WINDOW_DAYS)]
    known = steady.dropna(subset=["wait_gap_min"])
    if len(known):
        inside = (known["wait_gap_min_low"] <= known["gap_min"]) & (known["gap_min"] <= known["wait_gap_min_high"])
        low, high = share_interval(int(inside.sum()), len(known))
        yield Finding(
            _ROOM, f"share of {len(known)} merchants whose added minutes lie in the 95 % interval", 0.95,
            float(inside.mean()), low, high,
        )  # fmt: skip
    yield from _changes(world, truth)
    yield from _found(world, truth)


def _stores(world: Evaluated, bad: pd.Series[bool]) -> Iterator[Finding]:
    """Compare the ranking of stores by how much longer they make wait with which belong to a bad merchant."""
    gaps = world.estimates("promise_gaps")
    if gaps.empty:
        return
    waits = gaps[(gaps["level"] == "store") & (gaps["measure"] == "wait") & gaps["merchant_id"].isin(bad.index)]
    if len(waits):
        outcome = waits["merchant_id"].map(bad).astype(bool)
        yield Finding(_ROOM, "which stores are bad, by their gap in waiting", None, auc(waits["gap"], outcome))


def _actions(world: Evaluated, bad: pd.Series[bool]) -> Iterator[Finding]:
    """Compare what the rules decide with what they should: offers of the bad wait, nobody else's do."""
    actions = world.estimates("merchant_actions")
    if actions.empty:
        return
    decided = actions.set_index("merchant_id")["action_code"].reindex(bad.index)
    waits = decided == "pause_offers"
    yield Finding(_ROOM, "bad merchants whose offers wait", float(bad.sum()), float((bad & waits).sum()))
    yield Finding(_ROOM, "good merchants whose offers wait", 0.0, float((~bad & waits).sum()))
    yield Finding(_ROOM, "bad merchants whose cap is raised", 0.0, float((bad & (decided == "raise_cap")).sum()))


def _changes(world: Evaluated, truth: pd.DataFrame) -> Iterator[Finding]:
    """Compare changes found with the merchants that were bad by then, and their days with those on which they came."""
    changes = world.estimates("merchant_changes")
    since = truth[truth["gap_min"] > 0].groupby("merchant_id")["from_on"].min()
    came = changes["merchant_id"].map(since) if len(changes) else pd.Series(dtype="datetime64[us]")
    found, likeliest = (pd.to_datetime(changes[name]) if len(changes) else came for name in ("found_on", "changed_on"))
    yield Finding(_ROOM, "changes found of merchants that were good", 0.0, float((~(came < found)).sum()))
    turned = _turned(world, truth)
    first = found[came < found].groupby(changes["merchant_id"]).min() if len(changes) else found
    yield Finding(
        _ROOM, "merchants found of those that turned bad within a year", float(len(turned)),
        float(turned.index.isin(first.index).sum()),
    )  # fmt: skip
    is_turn = (came < found) & came.isin(turned)
    if is_turn.any():
        off = (likeliest - came)[is_turn].dt.days.abs().median()
        yield Finding(_ROOM, "days between a change and the likeliest day told, median", 0.0, float(off))
        yield Finding(
            _ROOM, "days until a change was found, median", None, float((found - came)[is_turn].dt.days.median())
        )


def _turned(world: Evaluated, truth: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return the day on which each merchant turned bad that did so within the last year."""
    turned = truth[truth["merchant_id"].duplicated()].set_index("merchant_id")["from_on"]
    return turned[turned > pd.Timestamp(world.as_of) - pd.Timedelta(days=_WATCHED_DAYS)]


def _found(world: Evaluated, truth: pd.DataFrame) -> Iterator[Finding]:
    """Of merchants that turned bad within the last year and were busy then: the share found within three weeks."""
    changes, purchases = world.estimates("merchant_changes"), world.estimates("purchases")
    turned = _turned(world, truth)
    after = purchases["consumed_at"] - purchases["merchant_id"].map(turned)
    soon = (after >= pd.Timedelta(0)) & (after < pd.Timedelta(days=_SOON_DAYS))
    visits = purchases[soon].groupby("merchant_id").size().reindex(turned.index, fill_value=0)
    watched = turned[visits >= _VISITS_DAILY * _SOON_DAYS]
    if watched.empty:
        return
    delay = (pd.to_datetime(changes["found_on"]) - changes["merchant_id"].map(turned)).dt.days
    first = delay[delay > 0].groupby(changes["merchant_id"]).min().reindex(watched.index)
    yield Finding(
        _ROOM, f"share of {len(watched)} busy merchants that turned bad found within {_SOON_DAYS} days", 1.0,
        float((first <= _SOON_DAYS).mean()),
    )  # fmt: skip


def _costs(world: Evaluated) -> Iterator[Finding]:
    """Compare what a first bad visit costs with the visits and the money that it cost in expectation."""
    truth, costs = world.truth("bad_visits"), world.estimates("bad_visit_costs")
    if truth.empty or costs.empty:
        return
    end = pd.Timestamp(world.as_of) - pd.Timedelta(days=_WINDOW_DAYS)
    at = pd.to_datetime(truth["at"])
    # First within what the table looks at: a year whose 90 days are over.
    looked_at = truth[(at >= end - pd.Timedelta(days=_WATCHED_DAYS)) & (at <= end)]
    first = looked_at.sort_values(["customer_id", "at"]).drop_duplicates("customer_id")
    lost = {"purchases": "lost_visits", "net_revenue": "lost_amount"}
    if first.empty:
        return
    for row in costs[costs["label"] == "observational"].sort_values(["reach", "outcome"]).to_dict("records"):
        column = ("friends_" if row["reach"] == "friends" else "") + lost[str(row["outcome"])]
        figures = (float(row[name]) for name in ("effect", "effect_low", "effect_high"))
        what = f"what a first bad visit changes in 90 days: {row['outcome']} of {row['reach']}"
        yield Finding(_ROOM, what, -float(first[column].mean()), *figures)
