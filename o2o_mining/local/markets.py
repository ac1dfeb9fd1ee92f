"""All that is known of homes, stores and visits, put together category by category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.local.catchments import DIGITS, Drawn, fit_category, model_weight, radii
from o2o_mining.local.sisters import sisters
from o2o_mining.local.visits import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterator

UNKNOWN = "(unknown)"
_GRID = ["grid_lat", "grid_lon"]


@dataclass(frozen=True)
class Market:
    """Homes, stores and visits as frames in a total order.

    Attributes
    ----------
    places
        ``grid_lat, grid_lon, people, lat, lon``.
    stores
        ``store_id, merchant_id, category, lat, lon, customers, clustering``; with or without a redemption.
    visits
        ``store_id, place`` (a number of row, -1 where the home is unknown), ``steps, redemptions, own``.
    """

    places: pd.DataFrame
    stores: pd.DataFrame
    visits: pd.DataFrame


def put_together(
    homes: pd.DataFrame, visits: pd.DataFrame, customers: pd.DataFrame, stores: pd.DataFrame, merchants: pd.DataFrame
) -> Market:
    """Return the market that the room's transformations tell of.

    Parameters
    ----------
    homes, visits, customers
        As the transformations `homes`, `store_visits` and `store_customers` give them.
    stores, merchants
        The feeds: ``store_id, merchant_id, lat, lon`` and ``merchant_id, category``.

    Returns
    -------
    Market
        A store that is in no feed belongs to the merchant of its redemptions and has no place.
    """
    places = homes.sort_values(_GRID, ignore_index=True)
    places[["lat", "lon"]] = places[["lat", "lon"]].astype(float).div(places["people"] * MICRO, axis=0)
    seen = visits.groupby("store_id", as_index=False)["merchant_id"].min()
    fed = stores[["store_id", "merchant_id", "lat", "lon"]]
    every = pd.concat([fed, seen[~seen["store_id"].isin(fed["store_id"])]], ignore_index=True)
    every = every.merge(merchants, on="merchant_id", how="left").merge(customers, on="store_id", how="left")
    every["category"] = every["category"].astype("object").fillna(UNKNOWN).astype(str)
    every["customers"] = every["customers"].fillna(0).astype("int64")
    every["clustering"] = (every["squares"] / every["visits"]).astype(float).fillna(1.0)
    every[["lat", "lon"]] = every[["lat", "lon"]].astype(float)
    numbered = places[_GRID].assign(place=np.arange(len(places)))
    came = visits.merge(numbered, on=_GRID, how="left")
    came["place"] = came["place"].fillna(-1).astype("int64")
    came = came.groupby(["store_id", "place", "steps"], dropna=False, as_index=False)[["redemptions", "own"]].sum()
    kept = ["store_id", "merchant_id", "category", "lat", "lon", "customers", "clustering"]
    return Market(places, every[kept].sort_values("store_id", ignore_index=True), came)


def by_category(market: Market) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Give each category with its stores, numbered from 0, and its visits with the store's number."""
    for category, stores in market.stores.groupby("category"):
        stores = stores.reset_index(drop=True)
        number = pd.Series(stores.index, index=stores["store_id"])
        visits = market.visits[market.visits["store_id"].isin(number.index)]
        visits = visits.assign(store=visits["store_id"].map(number).astype("int64"))
        yield str(category), stores, visits


def catchments(market: Market) -> tuple[pd.DataFrame, dict[str, Drawn], float]:
    """Return how far every store draws from.

    Parameters
    ----------
    market
        Homes, stores and visits.

    Returns
    -------
    tuple of DataFrame, dict and float
        Columns of ``store_catchments`` but the day; what is known of each category; and for how many redemptions of a
        store the models count.
    """
    groups = list(by_category(market))
    drawn, seen, came = {}, [], []
    for category, stores, visits in groups:
        at_home = visits[visits["place"] >= 0]
        summed = at_home.groupby(["place", "store"], as_index=False)[["own", "redemptions"]].sum()
        drawn[category] = fit_category(market.places, stores, summed)
        far = visits.dropna(subset=["steps"]).groupby(["store", "steps"], as_index=False)[["redemptions"]].sum()
        seen.append(far)
        came.append(summed)
    weight = model_weight(list(drawn.values()), seen)
    parts = []
    for (category, stores, _), told, homes in zip(groups, seen, came, strict=True):
        of = drawn[category]
        rows = radii(of, told, weight=weight)
        rows = rows.join(sisters(of, rows["radius_m"], homes)).join(stores)
        rows["decay_per_km"] = of.decay[rows.index.astype("int64")].round(DIGITS)
        parts.append(rows)
    return (pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()), drawn, weight


def decays(drawn: dict[str, Drawn], market: Market) -> pd.DataFrame:
    """Return how fast the draw of stores falls with distance, by category.

    Parameters
    ----------
    drawn
        As `catchments` returns them.
    market
        Homes, stores and visits.

    Returns
    -------
    DataFrame
        Columns of ``distance_decay`` but the day; categories without a model are left out.
    """
    own = {category: int(visits.loc[visits["place"] >= 0, "own"].sum()) for category, _, visits in by_category(market)}
    rows = [
        {
            "category": category, "stores": len(of.stores), "redemptions": own[category],
            "decay_per_km": of.choice.decay, "decay_per_km_low": of.choice.decay_low,
            "decay_per_km_high": of.choice.decay_high, "spread_per_km": of.spread,
        }
        for category, of in drawn.items() if of.choice is not None
    ]  # fmt: skip
    names = ["category", "stores", "redemptions", "decay_per_km", "decay_per_km_low", "decay_per_km_high",
             "spread_per_km"]  # fmt: skip
    return pd.DataFrame(rows, columns=names).round(DIGITS)
