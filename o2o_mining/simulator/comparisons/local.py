"""Local: from how far customers come, and how fast the draw of a store falls with distance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from o2o_mining.simulator.findings import Evaluated, Finding, share_interval

_ROOM = "local"
_ENOUGH = 200


def compare(world: Evaluated) -> Iterator[Finding]:
    """Compare catchments and decays with those that were planted."""
    yield from _catchments(world)


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
