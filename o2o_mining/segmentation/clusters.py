"""Fits clusters over habits, keeps them as rows of a table, and assigns customers from those rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from o2o_mining.core.errors import UsageError
from o2o_mining.segmentation.habits import (
    CATEGORY,
    LEAST_CUSTOMERS,
    LEAST_PURCHASES,
    WEIGHTS,
    Habits,
    drawn_in,
    habits,
    population,
    reliability,
)
from o2o_mining.segmentation.scaling import Scaling, nearest, rounded
from o2o_mining.segmentation.traits import cluster_codes, traits_of

if TYPE_CHECKING:
    from o2o_mining.segmentation.behaviour import BehaviourSegmenter

# Column of cluster_centres -> what of the scaling it keeps.
_KEPT = ("fill", "is_log", "location", "scale", "weight")


@dataclass(frozen=True)
class Clusters:
    """What came out of a fit.

    Attributes
    ----------
    customers
        ``customer_id`` and ``cluster``.
    centres
        The rows of ``cluster_centres`` without as_of: all that assigning takes.
    criterion
        As the segmenter has it.
    """

    customers: pd.DataFrame
    centres: pd.DataFrame
    criterion: dict[int, float]


def fit_clusters(seen: Habits, *, n_clusters: int | str = "auto", random_state: int = 0) -> Clusters | None:
    """Cluster the customers who have a behaviour; None if they are too few or all alike.

    Parameters
    ----------
    seen
        Their habits.
    n_clusters, random_state
        As ``BehaviourSegmenter`` has them.
    """
    # Loading scikit-learn takes a second, which a home too small for clusters need not wait for.
    from o2o_mining.segmentation.behaviour import BehaviourSegmenter

    if len(seen.customers) < LEAST_CUSTOMERS:
        return None
    shares = population(seen)
    trust = reliability(seen, shares)
    weights = pd.Series({name: _weight(str(name)) * float(trust[name]) ** 0.5 for name in seen.values.columns})
    weights = weights[weights > 0]
    if weights.empty:
        return None
    columns = list(weights.index)
    drawn = drawn_in(seen, shares)[columns]
    model = BehaviourSegmenter(n_clusters, random_state, feature_weights=weights.to_numpy())
    model.fit(drawn.to_numpy())
    if model.n_clusters_ < 2:
        return None
    apart = [_apart(model.labels_ == number, seen.values[columns]) for number in range(model.n_clusters_)]
    codes = cluster_codes([traits_of(found) for found in apart])
    return Clusters(
        customers=pd.DataFrame({"customer_id": seen.customers, "cluster": [codes[label] for label in model.labels_]}),
        centres=_kept(model, codes, apart, shares),
        criterion=model.criterion_,
    )


def assign_clusters(behaviour: pd.DataFrame, counts: pd.DataFrame, centres: pd.DataFrame) -> pd.Series[str]:
    """Assign customers to the clusters of an earlier fit, from its published rows alone.

    Parameters
    ----------
    behaviour
        ``customer_id``, ``n_purchases`` and habits of ``customer_features``, one row a customer.
    counts
        ``customer_id``, ``category``, ``purchases``; without rows where no category is known.
    centres
        A slice of ``cluster_centres``, as ``o2o_mining.load("cluster_centres", as_of=...)`` gives it.

    Returns
    -------
    Series
        The cluster of each customer, by ``customer_id``; null with fewer than five purchases.

    Raises
    ------
    UsageError
        If the rows hold no clusters.

    Examples
    --------
    >>> row = {"fill": 0.5, "is_log": False, "location": 0.5, "scale": 0.25, "weight": 1.0, "population": 0.5}
    >>> centres = pd.DataFrame([
    ...     {"segment_code": code, "feature": "evening_share", "centre": centre, **row}
    ...     for code, centre in (("late", 1.0), ("early", -1.0))
    ... ])
    >>> new = pd.DataFrame({"customer_id": ["ann", "bob"], "n_purchases": [10, 2], "evening_share": [0.9, 0.1]})
    >>> assign_clusters(new, pd.DataFrame(columns=["customer_id", "category", "purchases"]), centres).tolist()
    ['late', None]
    """
    if centres.empty:
        raise UsageError("these rows of cluster_centres hold no clusters", next_step="take a day with clusters")
    learned = centres.drop_duplicates("feature").sort_values("feature").set_index("feature")
    enough = behaviour[behaviour["n_purchases"].fillna(0) >= LEAST_PURCHASES]
    named = [name.removeprefix(CATEGORY) for name in learned.index if str(name).startswith(CATEGORY)]
    seen = habits(enough.reindex(columns=["customer_id", "n_purchases", *WEIGHTS]), counts, named)
    unknown = pd.DataFrame(np.nan, index=seen.values.index, columns=list(learned.index))
    given = Habits(seen.customers, seen.purchases, seen.values.reindex(columns=learned.index).fillna(unknown))
    points = Scaling(*(learned[name].to_numpy() for name in _KEPT)).apply(
        drawn_in(given, learned["population"]).to_numpy(dtype="float64")
    )
    grid = centres.pivot_table(index="segment_code", columns="feature", values="centre", sort=True)[learned.index]
    found = nearest(points, grid.to_numpy())
    codes = pd.Series([str(grid.index[place]) for place in found], index=list(seen.customers), dtype=object)
    return codes.reindex(behaviour["customer_id"].tolist()).where(lambda held: held.notna(), None)


def _weight(name: str) -> float:
    return WEIGHTS.get(name, 1.0)


def _apart(members: Any, values: pd.DataFrame) -> pd.DataFrame:
    """Return by habit the mean of some customers, of all, and the difference in standard deviations."""
    own, all_of_them = values[members].mean(), values.mean()
    spread = values.std(ddof=0)
    away = ((own - all_of_them) / spread.where(spread > 0)).fillna(0.0)
    found = {"mean": own.fillna(all_of_them), "everybody": all_of_them, "difference": away}
    return pd.DataFrame({name: rounded(column, 6) for name, column in found.items()}, index=values.columns)


def _kept(
    model: BehaviourSegmenter, codes: list[str], apart: list[pd.DataFrame], shares: pd.Series[float]
) -> pd.DataFrame:
    """Return the fit as one row a cluster and feature."""
    learned = {name: getattr(model.scaling_, name) for name in _KEPT}
    rows = [
        {
            "segment_code": code,
            "feature": name,
            "centre": float(model.cluster_centers_[number, place]),
            "population": None if np.isnan(shares[name]) else float(shares[name]),
            **{kept: values[place].item() for kept, values in learned.items()},
            **found.loc[name].to_dict(),
            "stability": None if np.isnan(model.stability_) else model.stability_,
        }
        for number, (code, found) in enumerate(zip(codes, apart, strict=True))
        for place, name in enumerate(found.index)
    ]
    return pd.DataFrame(rows)
