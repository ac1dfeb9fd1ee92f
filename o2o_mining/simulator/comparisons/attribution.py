"""Attribution: credit and effects found, against the purchases that there were because of channels and campaigns."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from o2o_mining.simulator.findings import Evaluated, Finding

# What the outcomes of a campaign are reckoned from: what is told of customers, and of money.
_OUTCOMES = ("converted", "purchases", "net_revenue", "margin")
_SCALED_MODEL = "linear"


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare credit with true increments by model, and effects, margins and returns with what there really was."""
    yield from _credit(world)
    units = _units(world)
    yield from _effects(world, units)
    yield from _margins(world, units)
    yield from _returns(world)
    yield from _baskets(world)


def _units(world: Evaluated) -> pd.DataFrame:
    """One campaign and customer whom it could reach: what an offer changes of each outcome, and what was known before.

    An offer brings one visit beside the customer's own; whatever the window, that is its effect on purchases.
    """
    units = world.truth("campaign_effects")
    if units.empty:
        return units
    units = units.merge(_worth_of_campaigns(world), on="campaign_id", how="left")
    with_it, without = units["occasion1"].astype(int), units["occasion0"].astype(int)
    units["purchases"] = with_it - without
    units["converted"] = units["y1"].astype(int) - units["y0"].astype(int)
    units["net_revenue"] = with_it * units["paid"] - without * units["plain"]
    units["margin"] = with_it * (units["margin_with"] - units["discount"]) - without * units["margin_without"]
    return units


def _worth_of_campaigns(world: Evaluated) -> pd.DataFrame:
    """Return of each campaign with a coupon what a visit to its merchant is worth, with the coupon and without."""
    names = ["campaign_id", "paid", "plain", "margin_with", "margin_without", "discount"]
    values, merchants = world.truth("offer_values"), world.estimates("merchants")
    if values.empty or merchants.empty:
        return pd.DataFrame(columns=names).astype({"campaign_id": "str"} | dict.fromkeys(names[1:], "float64"))
    coupons = world.estimates("coupons")[["coupon_id", "campaign_id", "merchant_id"]].dropna()
    worth = coupons.merge(values, on="coupon_id").sort_values("coupon_id").drop_duplicates("campaign_id")
    share = worth["merchant_id"].map(merchants.set_index("merchant_id")["margin_share"]).astype("float64")
    worth = worth.assign(paid=worth["margin_with"] / share - worth["discount"], plain=worth["margin_without"] / share)
    return worth[names]


def _effects(world: Evaluated, units: pd.DataFrame) -> Iterator[Finding]:
    """Compare the effect of each campaign, by each method, with the mean over those it speaks of."""
    found = world.estimates("incrementality")
    if units.empty or found.empty:
        return
    drawn, reached = units[units["arm"] != "none"], _reached_of_old(world, units)
    means = {
        **dict.fromkeys(("itt", "cuped"), drawn.groupby("campaign_id")[list(_OUTCOMES)].mean()),
        "did": reached.groupby("campaign_id")[list(_OUTCOMES)].mean(),
    }
    sums = units[units["exposed"]].groupby("campaign_id")[list(_OUTCOMES)].sum()
    rows = found[found["label"] != "refused"].assign(place=found["outcome"].map(_OUTCOMES.index))
    for row in rows.sort_values(["campaign_id", "place", "method"]).to_dict("records"):
        campaign, outcome, method = row["campaign_id"], str(row["outcome"]), str(row["method"])
        figures = [float(row[name]) for name in ("effect", "effect_low", "effect_high")]
        what, true = f"{outcome} per customer by {campaign}", means.get(method, sums)
        if method not in means:
            # Those who had bought at a place are counted by nothing in the truth: what is compared is the sum.
            figures = [figure * float(row["n_treatment"]) for figure in figures]
            what = f"{outcome} by {campaign}"
        if campaign in true.index and pd.notna(true.loc[campaign, outcome]):
            yield Finding("attribution", f"{method}: {what}", float(true.loc[campaign, outcome]), *figures)


def _reached_of_old(world: Evaluated, units: pd.DataFrame) -> pd.DataFrame:
    """Return the units reached of customers who had bought before: a comparison without a draw speaks of these."""
    purchases, campaigns = world.estimates("purchases"), world.estimates("campaigns")
    reached = units[units["exposed"]]
    if purchases.empty or campaigns.empty:
        return reached.iloc[:0]
    first = reached["customer_id"].map(purchases.groupby("customer_id")["purchased_at"].min())
    return reached[first < reached["campaign_id"].map(campaigns.set_index("campaign_id")["starts_at"])]


def _margins(world: Evaluated, units: pd.DataFrame) -> Iterator[Finding]:
    """Compare the margin after media of each campaign with what its visits really brought.

    Of one that was drawn the truth is the mean over those drawn, for each who was to be asked; of another what those
    asked brought.
    """
    wins = world.estimates("three_wins")
    if units.empty or wins.empty:
        return
    known = units.dropna(subset=["margin"])
    drawn = known[known["arm"] != "none"]
    asked = drawn[drawn["arm"] == "treatment"].groupby("campaign_id").size()
    caused = {
        "experiment": drawn.groupby("campaign_id")["margin"].mean() * asked,
        "observational": known[known["exposed"]].groupby("campaign_id")["margin"].sum(),
    }
    rows = wins[(wins["level"] == "campaign") & wins["label"].isin(list(caused))]
    for row in rows.sort_values(["label", "id"]).to_dict("records"):
        label, campaign = str(row["label"]), row["id"]
        if campaign in caused[label].index:
            true = float(caused[label][campaign]) - float(row["media_cost"] or 0)
            found = (float(row[f"merchant_margin{end}"]) for end in ("", "_low", "_high"))
            yield Finding("attribution", f"{label}: merchant's margin after media by {campaign}", true, *found)


def _returns(world: Evaluated) -> Iterator[Finding]:
    """Compare what money on a channel returns with what it did: each contact is as good as the last.

    So the marginal return is the average one. As in the table, contacts count that are so old that all they brought is
    known.
    """
    increments, advice = world.truth("channel_increments"), world.estimates("budget_advice")
    names = ("campaign_attribution", "campaign_costs", "campaigns")
    credit, costs, campaigns = (world.estimates(name) for name in names)
    if increments.empty or advice.empty or credit.empty or costs.empty or campaigns.empty:
        return
    until = pd.Timestamp(world.as_of) - pd.Timedelta(days=int(credit["lookback_days"].iloc[0]))
    starts = campaigns.set_index("campaign_id")["starts_at"]
    old = increments[increments["campaign_id"].map(starts) < until]
    paid = old["campaign_id"].map(_worth_of_campaigns(world).set_index("campaign_id")["paid"])
    brought = (old["incremental_conversions"] * paid).groupby(old["channel"]).sum()
    spent = costs[pd.to_datetime(costs["spent_on"]) < until].groupby("channel")["cost"].sum().astype("float64")
    whole = credit[(credit["level"] == "channel") & (credit["window_start"] == credit["window_start"].min())]
    credited = whole[whole["model"] == _SCALED_MODEL].set_index("id")["conversions"].astype("float64")
    caused = increments.groupby("channel")["incremental_conversions"].sum() / credited
    for row in advice[advice["label"] == "calibrated"].sort_values("channel").to_dict("records"):
        channel = row["channel"]
        if channel in brought.index:
            what = f"purchases caused per purchase credited to {channel}"
            yield Finding("attribution", what, float(caused[channel]), float(row["caused_share"]))
            for kind in ("average_return", "marginal_return"):
                figures = (float(row[f"{kind}{end}"]) for end in ("", "_low", "_high"))
                what = f"{kind.replace('_', ' ')} of money on {channel}"
                yield Finding("attribution", what, float(brought[channel] / spent[channel]), *figures)


def _baskets(world: Evaluated) -> Iterator[Finding]:
    """Compare what orders for the store are larger by than those delivered: by nothing, the kind is drawn by chance."""
    compared = world.estimates("o2o_b2c")
    if compared.empty or world.truth("campaign_effects").empty:
        return
    rows = compared[(compared["outcome"] == "basket") & (compared["label"] == "observational")]
    for row in rows.sort_values(["dimension", "id"]).to_dict("records"):
        found = (float(row[name]) for name in ("difference", "difference_low", "difference_high"))
        yield Finding("attribution", f"basket in the store less delivered, {row['dimension']} {row['id']}", 0.0, *found)


def _credit(world: Evaluated) -> Iterator[Finding]:
    """Compare credit over all history with true increments, by model: each channel, and all that nobody paid for."""
    increments, credit = world.truth("channel_increments"), world.estimates("campaign_attribution")
    if increments.empty or credit.empty:
        return
    whole = credit[(credit["level"] == "channel") & (credit["window_start"] == credit["window_start"].min())]
    true = increments.groupby("channel")["incremental_conversions"].sum()
    of_campaigns = credit[(credit["level"] == "campaign") & (credit["window_start"] == credit["window_start"].min())]
    by_campaign = increments.groupby("campaign_id")["campaign_incremental_conversions"].first()
    for model, rows in whole.groupby("model", sort=True):
        credited = rows.set_index("id")["conversions"].astype(float)
        for channel, conversions in true.items():
            yield _finding(
                str(model), f"conversions by {channel}", float(conversions), float(credited.get(channel, 0.0))
            )
        some = of_campaigns[of_campaigns["model"] == model].set_index("id")["conversions"].astype(float)
        # Some models credit channels only.
        if not some.empty:
            yield _finding(
                str(model),
                "conversions by all campaigns",
                float(by_campaign.sum()),
                float(some.reindex(by_campaign.index).fillna(0.0).sum()),
            )
        unpaid = credited[~credited.index.isin(true.index)].sum()
        yield _finding(
            str(model), "conversions by channels that nobody pays for and that cause none", 0.0, float(unpaid)
        )


def _finding(model: str, what: str, truth: float, estimate: float) -> Finding:
    return Finding("attribution", f"{model}: {what}", truth, estimate)
