"""Attribution: credit and effects found, against the purchases that there were because of channels and campaigns."""

from __future__ import annotations

from collections.abc import Iterator

from o2o_mining.simulator.findings import Evaluated, Finding


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare credit with true increments by model, and what experiments found with what they would have to find."""
    yield from _credit(world)
    yield from _effects(world)


def _effects(world: Evaluated) -> Iterator[Finding]:
    """Compare the effect of each campaign that was drawn, by each method, with the mean over those drawn."""
    effects, found = world.truth("campaign_effects"), world.estimates("incrementality")
    if effects.empty or found.empty:
        return
    drawn = effects[effects["arm"] != "none"]
    # An offer brings one visit beside the customer's own; whatever the window, that is its effect on purchases.
    caused = drawn["occasion1"].astype(int) - drawn["occasion0"].astype(int)
    true = caused.groupby(drawn["campaign_id"]).mean()
    rows = found[(found["label"] == "experiment") & (found["outcome"] == "purchases")]
    for row in rows.sort_values(["campaign_id", "method"]).to_dict("records"):
        campaign = row["campaign_id"]
        if campaign in true.index:
            estimate, low, high = (float(row[name]) for name in ("effect", "effect_low", "effect_high"))
            quantity = f"{row['method']}: purchases per customer by {campaign}"
            yield Finding("attribution", quantity, float(true[campaign]), estimate, low, high)


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
