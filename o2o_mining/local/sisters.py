"""Which stores of one merchant draw from the same homes, and what they take from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.local.catchments import DIGITS, by_store
from o2o_mining.local.visits import STEP_M

if TYPE_CHECKING:
    from o2o_mining.local.catchments import Drawn
    from o2o_mining.local.choice import Choice, Numbers

_COLUMNS = ("overlap_store_id", "overlap_share", "cannibalised_share")


def sisters(drawn: Drawn, radius_m: pd.Series[float], came: pd.DataFrame) -> pd.DataFrame:
    """Return which sister store draws from the same homes, and what sisters would get if a store closed.

    Parameters
    ----------
    drawn
        The category.
    radius_m
        By number of store, of stores whose radius is known.
    came
        ``place, store, redemptions`` from homes that are known.

    Returns
    -------
    DataFrame
        By number of store: ``overlap_store_id``, the store of the same merchant within whose radius most of this one's
        redemptions begin (null where none does), ``overlap_share``, the share of them, and ``cannibalised_share``: of
        the visits expected, those that would go to sisters if the store closed and all other odds stayed; null without
        a model. All are null where a merchant has one store.

    Examples
    --------
    >>> from o2o_mining.local.catchments import fit_category
    >>> places = pd.DataFrame({"people": [10, 10], "lat": [0.0, 0.02], "lon": [0.0, 0.0]})
    >>> stores = pd.DataFrame({"store_id": ["a", "b"], "merchant_id": "m", "lat": [0.0, 0.02], "lon": 0.0,
    ...                        "clustering": 1.0})
    >>> visits = pd.DataFrame({"place": [0, 0, 1, 1], "store": [0, 1, 0, 1], "own": [90, 10, 10, 90]})
    >>> drawn = fit_category(places, stores, visits)
    >>> sisters(drawn, pd.Series([2500.0, 500.0]), visits.rename(columns={"own": "redemptions"})).iloc[1].tolist()
    ['a', 1.0, 1.0]
    """
    stores, pairs = drawn.stores, drawn.pairs
    found = pd.DataFrame({name: [None] * len(stores) for name in _COLUMNS}, dtype="object")
    several = stores["merchant_id"].duplicated(keep=False).to_numpy()
    known = np.intersect1d(np.flatnonzero(several), came["store"])
    if not len(known):
        return found
    of = stores["merchant_id"].to_numpy()
    # Radii are told in steps: a home belongs to the step that its distance is nearest to.
    reach = radius_m.reindex(np.arange(len(stores))).to_numpy(float) + STEP_M / 2
    near = pairs.km * 1000 <= np.nan_to_num(reach, nan=-1.0)[pairs.store]
    within = pd.DataFrame({"place": pairs.place[near], "sister": pairs.store[near], "of": of[pairs.store[near]]})
    both = came[came["store"].isin(known)].assign(of=lambda t: of[t["store"]]).merge(within, on=["place", "of"])
    inside = both[both["store"] != both["sister"]].groupby(["store", "sister"])["redemptions"].sum().reset_index()
    best = inside.sort_values(["redemptions", "sister"], ascending=[False, True]).groupby("store").first()
    whole = came.groupby("store")["redemptions"].sum()
    found.loc[known, "overlap_share"] = (best["redemptions"].reindex(known, fill_value=0) / whole[known]).round(DIGITS)
    found.loc[best.index, "overlap_store_id"] = stores["store_id"].to_numpy()[best["sister"]]
    if drawn.choice is not None:
        found.loc[several, "cannibalised_share"] = _diverted(drawn, drawn.choice)[several].round(DIGITS)
    return found


def _diverted(drawn: Drawn, choice: Choice) -> Numbers:
    """Return of each store the share of its expected visits that its sisters would get: the diversion ratio."""
    pairs, share, count = drawn.pairs, choice.share, len(drawn.stores)
    merchant = pd.factorize(drawn.stores["merchant_id"])[0]
    group = pd.factorize(pairs.place * count + merchant[pairs.store])[0]
    of_merchant = np.bincount(group, weights=share)[group]
    visits = drawn.people[pairs.place] * share
    moved = visits * np.clip((of_merchant - share) / np.maximum(1 - share, 1e-12), 0.0, 1.0)
    return by_store(pairs, moved, count) / np.maximum(by_store(pairs, visits, count), np.finfo(float).tiny)
