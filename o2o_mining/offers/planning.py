"""The plan of a day: who gets which offer, who would have got one, and why the others do not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.contracts.offers import EXCLUSIONS
from o2o_mining.offers.allocation import allocated
from o2o_mining.offers.caps import LOWER, merchant_limits, rooms_beyond
from o2o_mining.offers.power import pilot_size
from o2o_mining.offers.problem import LARGEST
from o2o_mining.offers.rounding import Effort
from o2o_mining.offers.value import SIDES, better_for_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from o2o_mining.core.settings import Settings

PAIR = ["campaign_id", "customer_id"]
# The marks that stand before the value, in the order of the exclusions.
_MARKS = ("no_consent", "fatigue", "do_not_disturb", "promise_gap", "not_eligible")
# How often budgets are set anew so that what is really sent takes all of them, and how near is near enough.
_ATTEMPTS = 2
_NEAR = 0.01
# Budgets of the what-if curve, in per cent of the campaigns' own, and the most candidates it looks at.
CURVE = (25, 50, 75, 100, 150, 200)
_CURVE_CANDIDATES = 100_000


@dataclass(frozen=True)
class Plan:
    """A plan.

    Attributes
    ----------
    targeted, holdouts, exclusions
        The rows of the tables: every customer of a campaign is in exactly one of them.
    sides
        What the offers sent are worth to each side, in sum.
    alternatives
        The same for the plans that serve one side alone.
    served
        The side whose plan was taken, as it is worth more to all three than the one by the weights; mostly none.
    gap
        How far the allocation by the weights may at most be from the best.
    pilots
        By campaign without causal data: customers that each arm needs, and customers who can take part.
    full
        The merchants for whom no more is sent because their cap is reached.
    curve
        One row a share of the budgets: ``budget_percent, budget, expected_cost, expected_value``.
    """

    targeted: pd.DataFrame
    holdouts: pd.DataFrame
    exclusions: pd.DataFrame
    sides: Mapping[str, float]
    alternatives: Mapping[str, Mapping[str, float]]
    served: str | None
    gap: float
    pilots: Mapping[str, tuple[int, int]]
    full: tuple[str, ...]
    curve: pd.DataFrame


def make_plan(
    candidates: pd.DataFrame,
    *,
    budgets: Mapping[str, float],
    capacities: Mapping[str, int],
    actions: Mapping[str, str],
    settings: Settings,
) -> Plan:
    """Make the plan of a day.

    Budgets are planned for everybody who may be asked, those held out among them, and raised by the share of these: who
    is held out is chosen as those are who get the offer, so both can be compared. A plan for one side alone that is
    worth more to all three sides is taken instead.

    Parameters
    ----------
    candidates
        As `marked` returns them, with ``promise_gap`` and the columns that `valued` adds.
    budgets
        Money left by campaign; ``math.inf`` for no limit.
    capacities
        Pieces left by coupon; coupons not named have no limit.
    actions
        What the rules of the scorecards do, by merchant: some lower or raise its cap.
    settings
        Offers per customer, offers per merchant, weights.
    """
    table = candidates.sort_values([*PAIR, "coupon_id"], ignore_index=True)
    pilots = _pilots(table, settings)
    table["is_pilot"] = table["campaign_id"].isin(list(pilots))
    here = table["held_in_pilot"].where(table["is_pilot"], table["held_here"]).astype(bool)
    table["held"] = np.where(table["held_globally"], "global", np.where(here, "campaign", ""))
    table["reason"] = _spoken_against(table)
    table["reason"] = table["reason"].mask((table["reason"] == "") & _left_out_of_pilot(table, pilots), "no_capacity")
    open_ones = table[table["reason"] == ""]
    raised = {merchant: action for merchant, action in actions.items() if action != LOWER}
    limits = merchant_limits(open_ones.iloc[:0], raised, settings.merchant_offers_cap)
    planned = _capped(open_ones, budgets, capacities, limits, settings)
    if raised != actions:
        usual = _sent(open_ones.loc[planned.chosen])
        limits = merchant_limits(usual, actions, settings.merchant_offers_cap)
        planned = _capped(open_ones, budgets, capacities, limits, settings)
    for_one = {
        side: _capped(
            open_ones.assign(expected_value=open_ones[f"value_{side}"]), budgets, capacities, limits, settings,
            effort=Effort.QUICK,
        )
        for side in SIDES
    }  # fmt: skip
    alternatives = {side: _sides(table.loc[one.chosen]) for side, one in for_one.items()}
    served = better_for_all(_sides(table.loc[planned.chosen]), alternatives)
    taken = for_one[served] if served else planned
    table["chosen"] = False
    table.loc[taken.chosen, "chosen"] = True
    sent = _sent(table[table["chosen"]])
    return Plan(
        _ranked(sent), _holdouts(table), _exclusions(table, budgets, taken.capacities), _sides(sent), alternatives,
        served, planned.gap, pilots, taken.full,
        budget_curve(_sent(open_ones), budgets, taken.capacities, settings.offers_per_customer),
    )  # fmt: skip


@dataclass(frozen=True)
class _Capped:
    """The rows chosen, the gap, what capacities the merchants' caps leave, and the merchants whose cap is reached."""

    chosen: pd.Index
    gap: float
    capacities: Mapping[str, int]
    full: tuple[str, ...]


def _capped(
    table: pd.DataFrame,
    budgets: Mapping[str, float],
    capacities: Mapping[str, int],
    limits: Mapping[str, int],
    settings: Settings,
    *,
    effort: Effort = Effort.NEAR,
) -> _Capped:
    """Choose under the caps of merchants, too.

    A merchant for whom too much is sent has its coupons limited to their shares of its cap, and all is chosen anew. Its
    coupons together then keep the cap, so every merchant is limited once at most.
    """
    merchants = dict(zip(table["coupon_id"], table["merchant_id"], strict=True))
    full: set[str] = set()
    while True:
        chosen, gap = allocated_fairly(table, budgets, capacities, settings.offers_per_customer, effort=effort)
        rooms = rooms_beyond(_sent(table.loc[chosen]), merchants, limits, settings.merchant_offers_cap)
        if not rooms:
            return _Capped(chosen, gap, capacities, tuple(sorted(full)))
        capacities = {**capacities, **rooms}
        full |= {merchants[coupon] for coupon in rooms}


def _sent(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["held"] == ""]


def _spoken_against(table: pd.DataFrame) -> NDArray[np.object_]:
    """Return the first thing that speaks against a candidate, or nothing.

    An offer by which one of the three sides loses is of no value, whatever the others gain.
    """
    loses = np.logical_or.reduce([~(table[f"value_{side}"] >= 0) for side in SIDES])
    marks = [*(table[mark].astype(bool) for mark in _MARKS), loses | ~(table["expected_value"] > 0)]
    return np.select(marks, [*_MARKS, "no_value"], default="").astype(object)


def _pilots(table: pd.DataFrame, settings: Settings) -> dict[str, tuple[int, int]]:
    """Return the campaigns without causal data: what each arm of their pilot needs, and who could take part."""
    pilots = {}
    for campaign, rows in table.groupby("campaign_id", sort=True):
        if (rows["basis"] != "propensity").any():
            continue
        treated = float(rows.groupby("customer_id")["redemption_probability"].max().mean())
        control = treated * (1 - settings.assumed_incremental_share)
        needed = pilot_size(control, treated) if treated > control else 0
        pilots[str(campaign)] = (needed, int(rows["customer_id"].nunique()))
    return pilots


def _left_out_of_pilot(table: pd.DataFrame, pilots: Mapping[str, tuple[int, int]]) -> pd.Series[bool]:
    """Return whom the lot leaves out of a pilot that has all it needs."""
    out = pd.Series(False, index=table.index)
    may = table[table["is_pilot"] & (table["reason"] == "") & (table["held"] != "global")]
    for campaign, rows in may.groupby("campaign_id", sort=True):
        lots = rows.drop_duplicates("customer_id").sort_values(["lot", "customer_id"])["customer_id"]
        drawn = lots.iloc[: 2 * pilots[str(campaign)][0]]
        out[rows.index[~rows["customer_id"].isin(drawn)]] = True
    return out


def allocated_fairly(
    table: pd.DataFrame,
    budgets: Mapping[str, float],
    capacities: Mapping[str, int],
    per_customer: int,
    *,
    effort: Effort = Effort.NEAR,
) -> tuple[pd.Index, float]:
    """Return the rows chosen, those held out among them, such that what is sent keeps every limit; and the gap.

    Parameters
    ----------
    table
        Candidates with ``held``, empty for those who may be sent an offer.
    budgets, capacities, per_customer
        Limits of what is sent.
    effort
        How near to the best allocation.
    """
    if table.empty:
        return table.index, 0.0
    stated = table.rename(columns={"coupon_id": "offer_id", "expected_value": "value", "expected_cost": "cost"})
    stated = stated[["customer_id", "campaign_id", "offer_id", "value", "cost", "held"]]
    sent = stated["held"] == ""
    worth = stated["value"] > 0

    def raised(key: str, amount: pd.Series[float]) -> pd.Series[float]:
        every, free = (amount[some].groupby(stated.loc[some, key]).sum() for some in (worth, worth & sent))
        return (every / free).where(free > 0, 1.0)

    by_campaign = raised("campaign_id", stated["cost"]).reindex(stated["campaign_id"].unique()).fillna(1.0)
    by_offer = raised("offer_id", pd.Series(1.0, index=stated.index))
    room = {offer: math.ceil(limit * by_offer.get(offer, 1.0)) for offer, limit in capacities.items()}
    tries = [Effort.QUICK] * _ATTEMPTS if effort is not Effort.QUICK else []
    for tried in (*tries, effort):
        money = {str(name): _limit(budgets[str(name)] * times, 6) for name, times in by_campaign.items()}
        found = allocated(stated, budget=money, per_customer=per_customer, capacity=room, effort=tried)
        again = _off_the_mark(found.selected, budgets, money) if tried is not effort else {}
        for name, share in again.items():
            by_campaign[name] /= share
    return _within(found.selected, budgets, capacities), found.gap


def _limit(money: float, digits: int) -> float:
    """Return a budget, or no limit where it is more than all costs can be."""
    return math.inf if money > LARGEST else round(money, digits)


def _off_the_mark(chosen: pd.DataFrame, budgets: Mapping[str, float], planned: Mapping[str, float]) -> dict[str, float]:
    """Return what is sent as a share of the budget, where that is too much, or less than was planned in full."""
    spent, whole = (some.groupby("campaign_id")["cost"].sum() for some in (chosen[chosen["held"] == ""], chosen))
    shares = {name: float(spent.get(name, 0.0)) / limit for name, limit in budgets.items() if 0 < limit < math.inf}
    return {
        name: share
        for name, share in shares.items()
        if share > 1 or (0 < share < 1 - _NEAR and whole.get(name, 0.0) > (1 - _NEAR) * planned.get(name, math.inf))
    }


def _within(chosen: pd.DataFrame, budgets: Mapping[str, float], capacities: Mapping[str, int]) -> pd.Index:
    """Drop the offers of least value for their cost, sent or held out alike, until what is sent keeps the limits."""
    if chosen.empty:
        return chosen.index
    density = chosen["value"] / chosen["cost"].where(chosen["cost"] > 0, 1e-9)
    order = chosen.assign(density=density).sort_values(
        ["density", "customer_id", "offer_id"], ascending=[False, True, True]
    )
    sent = order["held"] == ""
    micros = (order["cost"] * 1e6).round().astype("int64").where(sent, 0)
    limit = order["campaign_id"].map({name: min(money, LARGEST) for name, money in budgets.items()}) * 1e6
    keeps = micros.groupby(order["campaign_id"]).cumsum() <= limit.round()
    room = order["offer_id"].map(capacities).fillna(math.inf)
    keeps &= sent.astype("int64").groupby(order["offer_id"]).cumsum() <= room
    # From the first that does not fit on, nothing goes, or cheap offers of little value would slip through.
    for key in ("campaign_id", "offer_id"):
        keeps &= keeps.groupby(order[key]).cummin()
    return order.index[keeps].sort_values()


def _ranked(sent: pd.DataFrame) -> pd.DataFrame:
    """Return the offers with their place in the campaign, by value for cost."""
    density = sent["expected_value"] / sent["expected_cost"].where(sent["expected_cost"] > 0, 1e-9)
    order = sent.assign(density=density).sort_values(
        ["campaign_id", "density", "customer_id", "coupon_id"], ascending=[True, False, True, True]
    )
    return order.assign(rank=order.groupby("campaign_id").cumcount() + 1).drop(columns="density")


def _holdouts(table: pd.DataFrame) -> pd.DataFrame:
    held = table[table["held"] != ""].rename(columns={"held": "kind"})
    return held.groupby(PAIR, sort=True).agg(kind=("kind", "first"), would_be_sent=("chosen", "any")).reset_index()


def _exclusions(table: pd.DataFrame, budgets: Mapping[str, float], capacities: Mapping[str, int]) -> pd.DataFrame:
    """Say why a customer gets no offer of a campaign: what stopped the offer that came furthest."""
    got = table.loc[table["chosen"], "customer_id"].unique()
    sent = _sent(table[table["chosen"]])
    given = sent.groupby("coupon_id").size()
    scarce = [coupon for coupon, room in capacities.items() if given.get(coupon, 0) >= room]
    # A piece may be left as more of those held out would have got one than their share; money is then not what lacks.
    spent = sent.groupby("campaign_id")["expected_cost"].sum()
    left = table["campaign_id"].map({name: money - spent.get(name, 0.0) for name, money in budgets.items()})
    paid = table["coupon_id"].isin(list(capacities)) & (table["expected_cost"] <= left)
    lost = np.where(
        table["customer_id"].isin(got),
        "other_offer",
        np.where(table["coupon_id"].isin(scarce) | paid, "no_capacity", "out_of_budget"),
    )
    reason = table["reason"].where(table["reason"] != "", pd.Series(lost, index=table.index))
    free = table.assign(place=reason.map({code: place for place, code in enumerate(EXCLUSIONS)}))
    free = free[free["held"] == ""]
    found = free.groupby(PAIR, sort=True).agg(place=("place", "max"), sent=("chosen", "any")).reset_index()
    found = found[~found["sent"]]
    return found[PAIR].assign(reason_code=[EXCLUSIONS[place] for place in found["place"]])


def _sides(chosen: pd.DataFrame) -> dict[str, float]:
    sent = _sent(chosen)
    return {side: round(math.fsum(sent[f"value_{side}"]), 2) for side in SIDES}


def budget_curve(
    table: pd.DataFrame, budgets: Mapping[str, float], capacities: Mapping[str, int], per_customer: int
) -> pd.DataFrame:
    """One share of the budgets: what would be spent of it and what that would bring.

    Of many candidates the customers are thinned evenly, with so much less of everything.

    Parameters
    ----------
    table
        Candidates who may be sent an offer.
    budgets, capacities, per_customer
        Limits.
    """
    limited = {name: money for name, money in budgets.items() if math.isfinite(money)}
    if table.empty or not limited:
        return pd.DataFrame(columns=["budget_percent", "budget", "expected_cost", "expected_value"])
    every = -(-len(table) // _CURVE_CANDIDATES)
    number, _ = pd.factorize(table["customer_id"], sort=True)
    some = table[number % every == 0]
    some = some[some["campaign_id"].isin(list(limited))]
    stated = some.rename(columns={"coupon_id": "offer_id", "expected_value": "value", "expected_cost": "cost"})
    rows = []
    for percent in CURVE:
        money = {name: _limit(limit * percent / 100 / every, 2) for name, limit in limited.items()}
        room = {coupon: limit // every for coupon, limit in capacities.items()}
        found = allocated(
            stated[["customer_id", "campaign_id", "offer_id", "value", "cost"]],
            budget=money, per_customer=per_customer, capacity=room, effort=Effort.QUICK,
        )  # fmt: skip
        budget = sum(limited.values()) * percent / 100
        rows.append((percent, round(budget, 2), round(found.cost * every, 2), round(found.value * every, 2)))
    return pd.DataFrame(rows, columns=["budget_percent", "budget", "expected_cost", "expected_value"])
