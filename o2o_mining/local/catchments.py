"""From how far a store's customers come: its redemptions, and what the model of its category makes of few of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import beta

from o2o_mining.local.choice import fit_choice, shrunk_decays, within_reach
from o2o_mining.local.visits import STEP_M

if TYPE_CHECKING:
    from o2o_mining.local.choice import Choice, Numbers, Pairs

WITHIN, HALF = 0.8, 0.5
DIGITS = 4
_BINS = 10
_METRES = ["radius_m", "radius_m_low", "radius_m_high", "half_radius_m"]
_WEIGHTS = (1.0, 1e6)  # between these lies how many redemptions the model counts for
_LEAST = 100  # redemptions without a coupon; with fewer no category has a model
_ALONE = 0.05  # with less of its visits in dispute a store has no rival


@dataclass(frozen=True)
class Drawn:
    """What is known of the stores of one category.

    Attributes
    ----------
    stores
        ``store_id, merchant_id, lat, lon, clustering``, sorted by id.
    people
        Of each place.
    pairs
        Places and stores within reach of each other.
    choice
        The model, or None where nothing tells of a decay.
    decay, spread
        Of each store, shrunk; and their standard deviation.
    expected
        Of each pair: the visits that the model expects, in any unit.
    worth
        Redemptions of a store that the model is made of, on average: it counts for no more.
    """

    stores: pd.DataFrame
    people: Numbers
    pairs: Pairs
    choice: Choice | None
    decay: Numbers
    spread: float
    expected: Numbers
    worth: float


def fit_category(places: pd.DataFrame, stores: pd.DataFrame, visits: pd.DataFrame) -> Drawn:
    """Fit how the stores of one category are chosen.

    Parameters
    ----------
    places
        ``people, lat, lon``, one row a place.
    stores
        ``store_id, merchant_id, lat, lon, clustering``; sorted by id.
    visits
        ``place, store`` (numbers of rows of these) and ``own``, redemptions without a coupon.

    Returns
    -------
    Drawn
        Without a choice where fewer than 100 own redemptions or nobody with a choice tell.

    Examples
    --------
    >>> places = pd.DataFrame({"people": [10, 10], "lat": [0.0, 0.02], "lon": [0.0, 0.0]})
    >>> stores = pd.DataFrame({"store_id": ["a", "b"], "merchant_id": "m", "lat": [0.0, 0.02], "lon": 0.0,
    ...                        "clustering": 1.0})
    >>> visits = pd.DataFrame({"place": [0, 0, 1, 1], "store": [0, 1, 0, 1], "own": [90, 10, 10, 90]})
    >>> drawn = fit_category(places, stores, visits)
    >>> round(drawn.choice.decay * 2.2239, 3)  # km between them; ln 9 = 2.197
    2.197
    """
    pairs, count = within_reach(places, stores), len(stores)
    own = _of_pairs(pairs, visits, count)
    clustering, people = stores["clustering"].to_numpy(float), places["people"].to_numpy(float)
    of_store = by_store(pairs, own, count)
    enough = of_store.sum() >= _LEAST
    usual = float(of_store @ clustering / of_store.sum()) if enough else 1.0
    choice = fit_choice(pairs, own, stores=count, clustering=usual) if enough else None
    if choice is None:
        return Drawn(stores, people, pairs, None, np.full(count, np.nan), 0.0, np.zeros(len(pairs.place)), 0.0)
    decay, spread = shrunk_decays(choice, own, clustering)
    tilt = np.exp((choice.decay - decay)[pairs.store] * pairs.km)
    return Drawn(
        stores, people, pairs, choice, decay, spread, people[pairs.place] * choice.share * tilt,
        worth=float(of_store.sum()) / usual / count,
    )  # fmt: skip


def radii(drawn: Drawn, seen: pd.DataFrame, *, weight: float) -> pd.DataFrame:
    """Return how far stores draw from, with what the model knows counting for some redemptions.

    The distances of a store's redemptions are a sample from an unknown distribution whose prior is a Dirichlet process
    about the model (T. S. Ferguson, A Bayesian analysis of some nonparametric problems, Annals of Statistics 1, 1973):
    its posterior mean is the mixture of both by their weights, and the share within a distance has a beta distribution.
    Redemptions of one customer count for as many as they are worth when they cluster.

    Parameters
    ----------
    drawn
        The category.
    seen
        ``store`` (a number of row), ``steps`` (of 10 m) and ``redemptions``; sorted by both.
    weight
        For how many redemptions the model counts, as `model_weight` returns it.

    Returns
    -------
    DataFrame
        By number of store: ``redemptions, radius_m, radius_m_low, radius_m_high, half_radius_m, basis``.

    Examples
    --------
    >>> stores = pd.DataFrame({"store_id": ["a"], "merchant_id": "m", "clustering": 1.0})
    >>> nothing = Drawn(stores, np.zeros(0), None, None, np.zeros(1), 0.0, np.zeros(0), 0.0)
    >>> seen = pd.DataFrame({"store": 0, "steps": range(1, 101), "redemptions": 1})
    >>> radii(nothing, seen, weight=0)[["radius_m", "half_radius_m"]].values.tolist()
    [[800.0, 500.0]]
    """
    model = _model_distances(drawn) if drawn.choice is not None else {}
    weight, clustering = min(weight, drawn.worth), drawn.stores["clustering"].to_numpy(float)
    found = []
    for store, rows in seen.groupby("store"):
        number = int(str(store))
        count = rows["redemptions"].to_numpy(float)
        distances, mass = rows["steps"].to_numpy(float) * STEP_M, count / clustering[number]
        with_model = number in model and weight > 0
        if with_model:
            distances = np.concatenate([distances, model[number][0]])
            mass = np.concatenate([mass, model[number][1] * weight])
        at, inside = cumulated(distances, mass)
        radius, half = quantile(at, inside, WITHIN), quantile(at, inside, HALF)
        # Of every distance, the chance that 80 % lie within it; at the last one it is certain.
        chance = np.append(beta.sf(WITHIN, inside[:-1], inside[-1] - inside[:-1]), 1.0)
        low, high = (float(at[np.searchsorted(chance, end)]) for end in (0.025, 0.975))
        basis = "model" if with_model else "redemptions"
        found.append((number, int(count.sum()), radius, min(low, radius), max(high, radius), half, basis))
    frame = pd.DataFrame(found, columns=["store", "redemptions", *_METRES, "basis"]).set_index("store")
    frame[_METRES] = frame[_METRES].astype(float).round(1)
    return frame


def model_weight(drawn: list[Drawn], seen: list[pd.DataFrame]) -> float:
    """Return for how many redemptions the models count: what makes the stores' distances likeliest.

    Each store's redemptions are counted in ten bands that the model takes for equally likely; a weight ``k`` gives
    their counts a Dirichlet-multinomial distribution. Where models fit, k is large; where they do not, it is small.

    Parameters
    ----------
    drawn, seen
        Of every category, as for `radii`.

    Returns
    -------
    float
        From 1 to a million; 0 where no category has a model.

    Examples
    --------
    >>> model_weight([], [])
    0.0
    """
    rows = [row for of, told in zip(drawn, seen, strict=True) for row in _banded(of, told)]
    if not rows:
        return 0.0
    counts = np.array(rows)
    size = counts.sum(axis=1)

    def loss(log_weight: float) -> float:
        k = np.exp(log_weight)
        each = gammaln(counts + k / _BINS).sum(axis=1) - _BINS * gammaln(k / _BINS)
        return -float((gammaln(k) - gammaln(size + k) + each).sum())

    found = minimize_scalar(loss, bounds=np.log(_WEIGHTS), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def by_store(pairs: Pairs, weights: Numbers, stores: int) -> Numbers:
    """Add up over the pairs of each store."""
    return np.asarray(np.bincount(pairs.store, weights=weights, minlength=stores), dtype=np.float64)


def _of_pairs(pairs: Pairs, visits: pd.DataFrame, stores: int) -> Numbers:
    """Return the own redemptions of each pair; those from beyond reach are nobody's choice among near stores."""
    key, wanted = pairs.place * stores + pairs.store, visits["place"] * stores + visits["store"]
    own = visits["own"].groupby(wanted).sum()
    return np.asarray(own.reindex(key, fill_value=0).to_numpy(float))


def _model_distances(drawn: Drawn) -> dict[int, tuple[Numbers, Numbers]]:
    """Return by store the metres to its places and the share of the expected visits from each."""
    pairs = drawn.pairs
    # A store without a rival draws from everybody in reach: that is no model of how far people go.
    torn = by_store(pairs, drawn.expected * (1 - _share(drawn)), len(drawn.stores))
    whole = by_store(pairs, drawn.expected, len(drawn.stores))
    order = np.argsort(pairs.store, kind="stable")
    ends = np.searchsorted(pairs.store[order], np.arange(len(drawn.stores) + 1))
    found = {}
    for store in np.flatnonzero(torn > _ALONE * whole):
        rows = order[ends[store] : ends[store + 1]]
        found[int(store)] = (pairs.km[rows] * 1000, drawn.expected[rows] / whole[store])
    return found


def _share(drawn: Drawn) -> Numbers:
    assert drawn.choice is not None  # noqa: S101 - asked before
    return drawn.choice.share


def _banded(drawn: Drawn, seen: pd.DataFrame) -> list[Numbers]:
    """Return for each store with a model its redemptions in ten bands of distance, counted as independent ones."""
    if drawn.choice is None:
        return []
    model, clustering = _model_distances(drawn), drawn.stores["clustering"].to_numpy(float)
    rows = []
    for store, told in seen.groupby("store"):
        number = int(str(store))
        if number not in model:
            continue
        at, inside = cumulated(*model[number])
        place = np.searchsorted(at, told["steps"].to_numpy(float) * STEP_M, side="right")
        below = np.concatenate([[0.0], inside])[place] / inside[-1]
        band = np.minimum((below * _BINS).astype(np.int64), _BINS - 1)
        count = np.bincount(band, weights=told["redemptions"], minlength=_BINS)
        rows.append(count / clustering[number])
    return rows


def cumulated(distances: Numbers, mass: Numbers) -> tuple[Numbers, Numbers]:
    """Return the distances in order, each once, and the mass within them."""
    at, place = np.unique(distances, return_inverse=True)
    return at, np.cumsum(np.bincount(place, weights=mass))


def quantile(at: Numbers, inside: Numbers, share: float) -> float:
    """Return the least distance within which a share of the mass lies, up to what adding floats loses."""
    return float(at[np.searchsorted(inside, share * inside[-1] * (1 - 1e-12))])
