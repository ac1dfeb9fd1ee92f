"""Local: from how far customers come, how fast the draw of a store falls with distance, rings, and who was brought."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from o2o_mining.simulator.findings import Evaluated, Finding, share_interval
from o2o_mining.simulator.world import START

_ROOM = "local"
_ENOUGH = 200


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare catchments, decays, rings and referrals with what was planted."""
    yield from _catchments(world)
    yield from _rings(world)
    yield from _referrals(world)


def _catchments(world: Evaluated) -> Iterator[Finding]:
    truth, found = world.truth("store_catchments_true"), world.estimates("store_catchments")
    if truth.empty or found.empty:
        return
    both = found.merge(truth, on="store_id", suffixes=("", "_true"))
    off = (both["radius_m"] / both["catchment_80_m"] - 1).abs()
    many = both["redemptions"] >= _ENOUGH
    for what, rows in ((f"with {_ENOUGH} redemptions", many), ("with fewer", ~many)):
        if rows.any():
            yield Finding(_ROOM, f"median error of the radius of {int(rows.sum())} stores {what}", 0.0,
                          float(np.round(off[rows].median(), 4)))  # fmt: skip
    inside = (both["radius_m_low"] <= both["catchment_80_m"]) & (both["catchment_80_m"] <= both["radius_m_high"])
    low, high = share_interval(int(inside.sum()), len(both))
    yield Finding(_ROOM, f"share of {len(both)} radii in their 95 % interval", 0.95, float(inside.mean()), low, high)
    decays = world.estimates("distance_decay").set_index("category").sort_index()
    planted = both.groupby("category")["decay_per_km_true"].first()
    for category, row in decays.iterrows():
        yield Finding(
            _ROOM, f"decay a km of {category}", float(planted[str(category)]), float(row["decay_per_km"]),
            float(row["decay_per_km_low"]), float(row["decay_per_km_high"]),
        )  # fmt: skip


def _rings(world: Evaluated) -> Iterator[Finding]:
    people, found = world.truth("customer_states"), world.estimates("coupon_forensics")
    if people.empty or world.estimates("coupon_lifecycle").empty:
        return
    planted = set(people.loc[people["fraud_ring"].notna(), "customer_id"])
    flagged = set(found.loc[found["kind"] == "ring", "customer_ids"].explode().dropna())
    right = len(planted & flagged)
    for what, of in (("recall of accounts of rings", planted), ("precision of accounts of rings", flagged)):
        if of:
            yield Finding(_ROOM, f"{what} ({len(of)})", 1.0, right / len(of))


def _referrals(world: Evaluated) -> Iterator[Finding]:
    """Of those who joined during the log a share was brought; what they are worth was planted to be the same."""
    rates, given = world.estimates("referral_rates"), world.truth("parameters")
    if rates.empty or given.empty:
        return
    planted = float(given.set_index("parameter")["value"]["referred_share"])
    months = rates[(rates["cohort"] != "(all)") & (rates["cohort"] >= f"{START:%Y-%m}")]
    referred, joined = int(months["referred"].sum()), int(months["customers"].sum())
    if joined:
        low, high = share_interval(referred, joined)
        yield Finding(_ROOM, "share of those who joined whom somebody brought", planted, referred / joined, low, high)
    whole = rates[rates["cohort"] == "(all)"].iloc[0]
    if whole["label"] == "observational":
        worth = (float(whole[name]) for name in ("difference", "difference_low", "difference_high"))
        yield Finding(_ROOM, "net amount in 90 days of those brought, beyond others alike", 0.0, *worth)
