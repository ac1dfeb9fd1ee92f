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
from o2o_mining.segmentation.scaling import Scaling
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
    traits
        By cluster what sets it apart, as codes with arguments.
    stability, criterion
        As the segmenter has them.
    """

    customers: pd.DataFrame
    centres: pd.DataFrame
    traits: dict[str, list[str]]
    stability: float
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
    sets_apart = [traits_of(members, seen.values) for members in _members(model.labels_, model.n_clusters_)]
    codes = cluster_codes(sets_apart)
    return Clusters(
        customers=pd.DataFrame({"customer_id": seen.customers, "cluster": [codes[label] for label in model.labels_]}),
        centres=_kept(model, codes, columns, shares),
        traits={code: [str(trait) for trait in found] for code, found in zip(codes, sets_apart, strict=True)},
        stability=model.stability_,
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
    found = _nearest(points, grid.to_numpy())
    codes = pd.Series([str(grid.index[place]) for place in found], index=list(seen.customers), dtype=object)
    return codes.reindex(behaviour["customer_id"].tolist()).where(lambda held: held.notna(), None)


def _nearest(points: Any, centres: Any) -> Any:
    from o2o_mining.segmentation.behaviour import nearest

    return nearest(points, centres)


def _weight(name: str) -> float:
    return WEIGHTS.get(name, 1.0)


def _members(labels: Any, clusters: int) -> list[Any]:
    return [labels == number for number in range(clusters)]


def _kept(model: BehaviourSegmenter, codes: list[str], columns: list[str], shares: pd.Series[float]) -> pd.DataFrame:
    """Return the fit as one row a cluster and feature."""
    learned = {name: getattr(model.scaling_, name) for name in _KEPT}
    rows = [
        {
            "segment_code": code,
            "feature": name,
            "centre": float(model.cluster_centers_[number, place]),
            "population": None if np.isnan(shares[name]) else float(shares[name]),
            **{kept: values[place].item() for kept, values in learned.items()},
        }
        for number, code in enumerate(codes)
        for place, name in enumerate(columns)
    ]
    return pd.DataFrame(rows)


