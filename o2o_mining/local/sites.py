"""Where a new store would draw from, and what it would take from those that are there."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import h3
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from o2o_mining.local.catchments import DIGITS, WITHIN, cumulated, quantile
from o2o_mining.local.choice import EARTH_KM, Pairs, log_odds_of_going, on_sphere, within_reach

if TYPE_CHECKING:
    from o2o_mining.local.catchments import Drawn
    from o2o_mining.local.choice import Choice, Numbers

RESOLUTIONS = (8, 7, 6)  # about 0.7, 5 and 36 square kilometres a hexagon
SHOWN_SHARE = 0.8
LEAST_PEOPLE = 10  # a hexagon of fewer would show where somebody lives


class Draw(NamedTuple):
    """What a new store would draw.

    Attributes
    ----------
    places
        By number of place: ``km`` to the new store, ``share`` of the visits from there that it gets, and ``visits``
        (people times share).
    stores
        ``store_id`` and ``lost_share``: of the visits expected, what the new store takes; the hardest hit first.
    """

    places: pd.DataFrame
    stores: pd.DataFrame


def new_store_draw(drawn: Drawn, places: pd.DataFrame, *, lat: float, lon: float, pull: float = 1.0) -> Draw:
    """Return from where a new store of a category would draw, and from which stores.

    It is chosen as the others are: its odds are ``pull * exp(-decay * km)``, and the visits of a place stay as many.

    Parameters
    ----------
    drawn
        The category, as fitted; it needs a model.
    places
        ``people, lat, lon``, as they were fitted.
    lat, lon
        Where the store would be, in degrees.
    pull
        How attractive it is, as a multiple of the median store.

    Returns
    -------
    Draw
        Places within 30 km, and the stores that lose to it.

    Raises
    ------
    ValueError
        If the category has no model.

    Examples
    --------
    >>> from o2o_mining.local.catchments import fit_category
    >>> places = pd.DataFrame({"people": [10, 10], "lat": [0.0, 0.02], "lon": [0.0, 0.0]})
    >>> stores = pd.DataFrame({"store_id": ["a", "b"], "merchant_id": "m", "lat": [0.0, 0.02], "lon": 0.0,
    ...                        "clustering": 1.0})
    >>> visits = pd.DataFrame({"place": [0, 0, 1, 1], "store": [0, 1, 0, 1], "own": [90, 10, 10, 90]})
    >>> draw = new_store_draw(fit_category(places, stores, visits), places, lat=0.0, lon=0.0)
    >>> draw.places["share"].round(3).tolist()  # 9 of 9 + 9 + 1, and 1 of 1 + 1 + 9
    [0.474, 0.091]
    >>> draw.stores["store_id"].tolist()
    ['a', 'b']
    """
    if drawn.choice is None:
        raise ValueError("the category has no model: fewer than 100 redemptions, or nobody had a choice")
    site = pd.DataFrame({"lat": [lat], "lon": [lon]})
    to_site, share = _site_shares(drawn, drawn.choice, places, site, np.log(pull))
    people = drawn.people[to_site.place]
    found = pd.DataFrame({"km": to_site.km, "share": share, "visits": people * share}, index=to_site.place)
    taken: Numbers = np.zeros(len(drawn.people))
    taken[to_site.place] = share
    pairs, expected = drawn.pairs, drawn.people[drawn.pairs.place] * drawn.choice.share
    count = len(drawn.stores)
    lost = np.bincount(pairs.store, weights=expected * taken[pairs.place], minlength=count)
    whole = np.bincount(pairs.store, weights=expected, minlength=count)
    stores = pd.DataFrame({"store_id": drawn.stores["store_id"], "lost_share": lost / np.where(whole > 0, whole, 1.0)})
    stores = stores[stores["lost_share"] > 0]
    return Draw(found, stores.sort_values(["lost_share", "store_id"], ascending=[False, True], ignore_index=True))


def hexagons(places: pd.DataFrame) -> pd.DataFrame:
    """Return the hexagons where people live, without those of fewer than ten.

    They are the smallest of resolutions 8, 7 and 6 that together hold four fifths of the people, else those of 6.

    Parameters
    ----------
    places
        ``people, lat, lon``.

    Returns
    -------
    DataFrame
        ``hexagon, people, lat, lon`` (its centre), sorted by hexagon.

    Examples
    --------
    >>> hexagons(pd.DataFrame({"people": [10, 9], "lat": [25.03, 26.0], "lon": [121.54, 121.54]}))["people"].tolist()
    [10]
    """
    people = pd.Series(dtype="int64")
    for resolution in RESOLUTIONS:
        cells = [h3.latlng_to_cell(*place, resolution) for place in places[["lat", "lon"]].to_numpy(float)]
        people = places["people"].groupby(pd.Series(cells, index=places.index, dtype="object")).sum().sort_index()
        people = people[people >= LEAST_PEOPLE]
        if people.sum() >= SHOWN_SHARE * places["people"].sum():
            break
    centres = np.array([h3.cell_to_latlng(cell) for cell in people.index]).reshape(-1, 2)
    return pd.DataFrame(
        {"hexagon": people.index.astype(str), "people": people.to_numpy(), "lat": centres[:, 0], "lon": centres[:, 1]}
    )


def outline(hexagon: str) -> list[tuple[float, float]]:
    """Return the corners of a hexagon, the first again at the end.

    Examples
    --------
    >>> len(outline("884ba0a5d5fffff"))
    7
    """
    corners = list(h3.cell_to_boundary(hexagon))
    return [*corners, corners[0]]


def store_sites(drawn: Drawn, places: pd.DataFrame, cells: pd.DataFrame, *, yearly: float) -> pd.DataFrame:
    """Return what a usual store would draw from the middle of every hexagon.

    Parameters
    ----------
    drawn
        The category.
    places
        As they were fitted.
    cells
        As `hexagons` returns them.
    yearly
        Visits of one person to the category's stores in a year.

    Returns
    -------
    DataFrame
        Columns of ``store_sites`` but day and category; empty without a model.
    """
    if drawn.choice is None or cells.empty:
        return pd.DataFrame()
    to_site, share = _site_shares(drawn, drawn.choice, places, cells, 0.0)
    visits = drawn.people[to_site.place] * share
    reach = np.bincount(to_site.store, weights=drawn.people[to_site.place], minlength=len(cells))
    drawn_by = np.bincount(to_site.store, weights=visits, minlength=len(cells))
    order = np.argsort(to_site.store, kind="stable")
    ends = np.searchsorted(to_site.store[order], np.arange(len(cells) + 1))
    radius = []
    for first, last in pairwise(ends):
        near = order[first:last]
        radius.append(quantile(*cumulated(to_site.km[near] * 1000, visits[near]), WITHIN))
    rows = cells[["hexagon"]].assign(
        customers=cells["people"],
        visits_share=(drawn_by / np.maximum(reach, 1.0)).round(DIGITS), visits_365d=(drawn_by * yearly).round(1),
        radius_m=np.round(radius, 1),
    )  # fmt: skip
    known = drawn.stores.dropna(subset=["lat", "lon"]).reset_index(drop=True)
    chord, nearest = cKDTree(on_sphere(known)).query(on_sphere(cells))
    rows["nearest_store_id"] = known["store_id"].to_numpy()[nearest]
    rows["nearest_store_m"] = np.round(2 * EARTH_KM * np.arcsin(np.minimum(chord / 2, 1.0)) * 1000, 1)
    return rows


def _site_shares(
    drawn: Drawn, choice: Choice, places: pd.DataFrame, sites: pd.DataFrame, log_pull: float
) -> tuple[Pairs, Numbers]:
    """Return the share that a store at each site would get of the visits from each place in its reach."""
    to_site = within_reach(places, sites)
    usual = float(np.median(choice.log_pull[np.unique(drawn.pairs.store)]))
    rivals = log_odds_of_going(drawn.pairs, choice, places=len(places))[to_site.place]
    odds = usual + log_pull - choice.decay * to_site.km
    return to_site, 1 / (1 + np.exp(np.minimum(rivals - odds, 700.0)))
