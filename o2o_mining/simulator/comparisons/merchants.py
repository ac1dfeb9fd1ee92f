"""Merchants: minutes beyond the promise, who is bad, how soon it was found, and who was blamed without cause."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding, auc, share_interval

_ROOM = "merchants"
_WINDOW_DAYS, _SOON_DAYS = 90, 21
# Of merchants with fewer visits a day little can be told within three weeks.
_VISITS_DAILY = 5


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare gaps with the minutes that were really added, and changes found with the days on which they came."""
    truth, cards = world.truth("merchant_gaps"), world.estimates("merchant_scorecards")
    if truth.empty or cards.empty:
        return
    truth = truth.assign(from_on=pd.to_datetime(truth["from_on"])).sort_values(["merchant_id", "from_on"])
    last = truth.groupby("merchant_id").last()
    both = cards.set_index("merchant_id").join(last, how="inner").sort_index()
    bad = both["gap_min"] > 0
    yield Finding(_ROOM, "who is bad, by promise_gap", None, auc(both["promise_gap"], bad))
    yield Finding(_ROOM, "bad merchants whose offers wait", float(bad.sum()), float((bad & _waits(both)).sum()))
    yield Finding(_ROOM, "good merchants whose offers wait", 0.0, float((~bad & _waits(both)).sum()))
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
    yield from _found(world, truth)


def _waits(cards: pd.DataFrame) -> pd.Series[bool]:
    return cards["action_code"] == "pause_offers"


def _found(world: Evaluated, truth: pd.DataFrame) -> Iterator[Finding]:
    """Of merchants that turned bad within the last year and were busy then: the share found within three weeks."""
    changes, purchases = world.estimates("merchant_changes"), world.estimates("purchases")
    turned = truth[truth["merchant_id"].duplicated()].set_index("merchant_id")["from_on"]
    after = purchases["consumed_at"] - purchases["merchant_id"].map(turned)
    soon = (after >= pd.Timedelta(0)) & (after < pd.Timedelta(days=_SOON_DAYS))
    visits = purchases[soon].groupby("merchant_id").size().reindex(turned.index, fill_value=0)
    year = pd.Timestamp(world.as_of) - pd.Timedelta(days=365)
    watched = turned[(turned > year) & (visits >= _VISITS_DAILY * _SOON_DAYS)]
    if watched.empty:
        return
    delay = (pd.to_datetime(changes["found_on"]) - changes["merchant_id"].map(turned)).dt.days
    first = delay[delay > 0].groupby(changes["merchant_id"]).min().reindex(watched.index)
    yield Finding(
        _ROOM, f"share of {len(watched)} busy merchants that turned bad found within {_SOON_DAYS} days", 1.0,
        float((first <= _SOON_DAYS).mean()),
    )  # fmt: skip
