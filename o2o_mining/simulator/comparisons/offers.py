"""The plan of offers: what it truly brings, beside plans made from what is observable at best, and of the likeliest."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding

# What keeps a customer from any offer, whatever it were worth.
_RULES = ("no_consent", "fatigue", "promise_gap", "not_eligible")


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare true profits at the same budgets, among those whom consent, caps and holdouts leave to be asked."""
    plan, holdouts, exclusions = (
        world.estimates(name) for name in ("targeted_offers", "offer_holdouts", "offer_exclusions")
    )
    offers = _offers(world)
    if offers.empty or len(plan) + len(exclusions) == 0:
        return
    pair = ["campaign_id", "customer_id"]
    barred = pd.concat([holdouts[pair], exclusions.loc[exclusions["reason_code"].isin(_RULES), pair]])
    scored = pd.concat([plan[pair], exclusions[pair]]).drop_duplicates()
    offers = offers.merge(scored, on=pair).merge(barred.assign(barred=True), how="left", on=pair)
    offers = offers[offers["barred"].isna()]
    mine = plan.merge(offers[[*pair, "profit"]], on=pair)
    budgets = offers.groupby("campaign_id")["budget"].first().astype(float)
    oracle = _earned(offers, offers["expected"] / offers["cost"], budgets)
    likeliest = _earned(offers, offers["p1_observable"], budgets)
    true = float(mine["profit"].sum())
    yield Finding("offers", "profit of the plan, as it expects", true, float(mine["value_merchant"].sum()))
    yield Finding("offers", "profit of the plan, of the best that the feeds allow", oracle, true)
    yield Finding("offers", "profit of the likeliest redeemers, beside the plan's", true, likeliest)
    spent = float(mine["expected_cost"].sum() / budgets.sum()) if budgets.sum() else 0.0
    yield Finding("offers", "share of the budgets that the plan spends", None, spent)


def _offers(world: Evaluated) -> pd.DataFrame:
    """One offer of a planned campaign with true and expected profit, its cost, and the campaign's budget."""
    effects, values = world.truth("campaign_effects"), world.truth("offer_values")
    if effects.empty or values.empty:
        return pd.DataFrame()
    campaigns, coupons = world.estimates("campaigns"), world.estimates("coupons")
    campaigns = campaigns[pd.to_datetime(campaigns["starts_at"]) >= pd.Timestamp(world.as_of)]
    values = values.merge(coupons[["coupon_id", "campaign_id"]], on="coupon_id")
    offers = effects.dropna(subset=["p1_observable"]).merge(values, on="campaign_id")
    offers = offers.merge(campaigns[["campaign_id", "budget"]], on="campaign_id")
    offers = offers.sort_values(["customer_id", "campaign_id"], ignore_index=True)
    contact = offers["contact_cost"].astype(float)
    paid = offers["margin_with"] - offers["discount"]
    for name, ending in (("profit", ""), ("expected", "_observable")):
        p0, p1 = offers[f"p0{ending}"], offers[f"p1{ending}"]
        offers[name] = p1 * paid - p0 * offers["margin_without"] - contact
    offers["cost"] = offers["p1_observable"] * offers["discount"] + contact
    return offers


def _earned(offers: pd.DataFrame, score: pd.Series[float], budgets: pd.Series[float]) -> float:
    """Return the true profit of the best by a score: one offer a customer, as long as its campaign's budget lasts."""
    left, asked, earned = budgets.to_dict(), set(), 0.0
    order = score[score > 0].sort_values(ascending=False, kind="stable").index
    columns = ["customer_id", "campaign_id", "cost", "profit"]
    for customer, campaign, cost, profit in offers.loc[order, columns].itertuples(index=False):
        if customer not in asked and cost <= left[campaign]:
            asked.add(customer)
            left[campaign] -= cost
            earned += profit
    return earned
