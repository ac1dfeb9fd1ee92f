"""Which store people choose, given how far each is: Huff's model, fitted as a conditional logit.

From a place, odds of the stores within reach are ``pull * exp(-decay * km)``. Pulls and the decay of a category are
those under which the visits seen are likeliest, given from where each visitor set out: who lives near many stores is no
evidence of a slow decay. Sources: D. L. Huff, A probabilistic analysis of shopping center trade areas, Land Economics
39 (1963); D. McFadden, Conditional logit analysis of qualitative choice behavior (1974).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import block_array, csr_array, diags_array
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

EARTH_KM = 6371.0088
REACH_KM = 30.0
Z95 = 1.959964
# A log pull has a normal prior of this precision: a store that nobody came to has a small pull, not none.
_PRIOR = 0.01
_START, _MOST_STEPS, _CLOSE = 0.5, 50, 1e-9


@dataclass(frozen=True)
class Pairs:
    """Places and stores within reach of each other, sorted by place, then store: index of both, and kilometres."""

    place: Places
    store: Places
    km: Numbers


@dataclass(frozen=True)
class Choice:
    """How one category's stores are chosen.

    Attributes
    ----------
    pairs
        Places and stores within reach.
    log_pull
        Of each store.
    decay, decay_low, decay_high
        Fall of the log odds with a kilometre, and its 95 % interval.
    share
        Of each pair: the store's share in the visits from the place.
    """

    pairs: Pairs
    log_pull: Numbers
    decay: float
    decay_low: float
    decay_high: float
    share: Numbers


def within_reach(places: pd.DataFrame, stores: pd.DataFrame) -> Pairs:
    """Return which stores people can go to from where.

    Parameters
    ----------
    places, stores
        ``lat, lon`` in degrees; null where unknown.

    Returns
    -------
    Pairs
        All pairs of known places less than 30 km apart along the sphere.

    Examples
    --------
    >>> import pandas as pd
    >>> home, shops = pd.DataFrame({"lat": [0.0], "lon": [0.0]}), pd.DataFrame({"lat": [0.1, 1.0], "lon": [0.0, 0.0]})
    >>> within_reach(home, shops).km.round(3).tolist()
    [11.12]
    """
    known = [
        np.flatnonzero(np.isfinite(table[["lat", "lon"]].to_numpy(float)).all(axis=1)) for table in (places, stores)
    ]
    if not all(map(len, known)):
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    here, there = (cKDTree(on_sphere(table.iloc[rows])) for table, rows in zip((places, stores), known, strict=True))
    found = here.sparse_distance_matrix(there, 2 * np.sin(REACH_KM / EARTH_KM / 2), output_type="ndarray")
    found = found[np.lexsort((found["j"], found["i"]))]
    km = 2 * EARTH_KM * np.arcsin(np.minimum(found["v"] / 2, 1.0))
    return Pairs(known[0][found["i"]], known[1][found["j"]], km)


def fit_choice(pairs: Pairs, visits: Numbers, *, stores: int, clustering: float = 1.0) -> Choice | None:
    """Return the likeliest pulls and decay.

    Parameters
    ----------
    pairs
        All places with people, and the stores of a category.
    visits
        Of each pair: visits made from the place to the store, shape (pairs,).
    stores
        How many stores there are, some perhaps out of everybody's reach.
    clustering
        By how much more the visits vary than if every one was by another customer; widens the interval.

    Returns
    -------
    Choice or None
        None where nobody who came had a choice, so that nothing tells of a decay.

    Examples
    --------
    Two stores alike, 1 and 2 km away, and three of four visits to the nearer one: the decay is ln 3.

    >>> pairs = Pairs(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([1.0, 2.0, 2.0, 1.0]))
    >>> round(fit_choice(pairs, np.array([750.0, 250.0, 250.0, 750.0]), stores=2).decay, 3)
    1.099
    """
    if not len(visits):
        return None
    gone = np.asarray(np.bincount(pairs.place, weights=visits)[pairs.place], dtype=np.float64)
    seen = gone > 0
    told, n, total = Pairs(pairs.place[seen], pairs.store[seen], pairs.km[seen]), visits[seen], float(visits.sum())
    if not total or not (np.bincount(told.place) > 1).any():
        return None
    best: Numbers = np.append(np.zeros(stores), _START)
    out, told_of_decay = gone[seen], 0.0
    for _ in range(_MOST_STEPS):
        slope, curve, told_of_decay = _derivatives(told, n, out, best)
        step = spsolve(curve, slope)
        best, before = _downhill(told, n, best, step), best
        if np.abs(best - before).max() < _CLOSE:
            break
    if told_of_decay <= 0:
        return None
    decay, half = float(best[-1]), Z95 * np.sqrt(clustering / told_of_decay)
    share, _ = _shares(pairs, best)
    return Choice(pairs, best[:-1], decay, decay - half, decay + half, share)


def shrunk_decays(choice: Choice, visits: Numbers, clustering: Numbers) -> tuple[Numbers, float]:
    """Return every store's own decay, drawn to its category's the more the fewer visits tell, and how they spread.

    A store whose visitors come from further than its share of the visits from each place says has a slower decay: one
    step of Newton's from the category's decay gives by how much. The spread of the true decays is DerSimonian and
    Laird's, Meta-analysis in clinical trials (1986).

    Parameters
    ----------
    choice
        Of the category.
    visits
        Of each pair, as for `fit_choice`.
    clustering
        Of each store.

    Returns
    -------
    tuple of array and float
        Decays, shape (stores,), and their standard deviation.

    Examples
    --------
    >>> pairs = Pairs(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([1.0, 2.0, 2.0, 1.0]))
    >>> visits = np.array([750.0, 250.0, 250.0, 750.0])
    >>> decays, spread = shrunk_decays(fit_choice(pairs, visits, stores=2), visits, np.ones(2))
    >>> decays.round(3).tolist(), spread
    ([1.099, 1.099], 0.0)
    """
    pairs, stores = choice.pairs, len(choice.log_pull)
    gone = np.bincount(pairs.place, weights=visits)[pairs.place]
    expected = gone * choice.share

    def summed(weights: Numbers) -> Numbers:
        return np.asarray(np.bincount(pairs.store, weights=weights, minlength=stores), dtype=np.float64)

    whole = np.maximum(summed(expected), np.finfo(float).tiny)
    mean = summed(expected * pairs.km) / whole
    off = pairs.km - mean[pairs.store]
    # Only from where there is a choice does a visit tell of one.
    information = summed(expected * (1 - choice.share) * off**2) / clustering
    beyond = summed((visits - expected) * off)
    known = information > 0
    delta = np.divide(-beyond / clustering, information, out=np.zeros(stores), where=known)
    known_information = float(information.sum())
    heterogeneity = float((delta**2 * information).sum()) - int(known.sum())
    variance = max(heterogeneity / known_information, 0.0) if known_information else 0.0
    kept = variance * information / (1 + variance * information)
    return choice.decay + kept * delta, float(np.sqrt(variance))


def _shares(pairs: Pairs, best: Numbers) -> tuple[Numbers, Numbers]:
    """Return the share of each pair among those of its place, and its logarithm."""
    if not len(pairs.place):
        return np.zeros(0), np.zeros(0)
    utility = best[pairs.store] - best[-1] * pairs.km
    first = np.flatnonzero(np.diff(pairs.place, prepend=-1))
    size = np.diff(np.append(first, len(utility)))
    utility = utility - np.repeat(np.maximum.reduceat(utility, first), size)
    odds = np.exp(utility)
    whole = np.repeat(np.add.reduceat(odds, first), size)
    return odds / whole, utility - np.log(whole)


def _loss(pairs: Pairs, visits: Numbers, best: Numbers) -> float:
    return _PRIOR / 2 * float(best[:-1] @ best[:-1]) - float(visits @ _shares(pairs, best)[1])


def _downhill(pairs: Pairs, visits: Numbers, best: Numbers, step: Numbers) -> Numbers:
    """Take a step of Newton's, or as much of it as does not lead uphill."""
    now, size = _loss(pairs, visits, best), 1.0
    while size > _CLOSE and _loss(pairs, visits, best - size * step) > now:
        size /= 2
    return np.asarray(best - size * step if size > _CLOSE else best, dtype=np.float64)


def _derivatives(pairs: Pairs, visits: Numbers, out: Numbers, best: Numbers) -> tuple[Numbers, Any, float]:
    """Return slope and curvature of the loss, and what the visits tell of the decay once pulls are fitted, too."""
    share, _ = _shares(pairs, best)
    stores, left = len(best) - 1, visits - out * share
    slope = np.append(_PRIOR * best[:-1] - np.bincount(pairs.store, weights=left, minlength=stores), left @ pairs.km)
    mean_km = np.bincount(pairs.place, weights=share * pairs.km)[pairs.place]
    weight, off = out * share, pairs.km - mean_km
    of_decay = float((weight * off**2).sum())
    cross = -np.bincount(pairs.store, weights=weight * off, minlength=stores)
    shape = (int(pairs.place.max()) + 1, stores)
    chosen, weighed = (csr_array((w, (pairs.place, pairs.store)), shape=shape) for w in (share, weight))
    whole = np.bincount(pairs.store, weights=weight, minlength=stores) + _PRIOR
    of_pulls = (diags_array(whole) - chosen.T @ weighed).tocsc()
    curve = block_array([[of_pulls, cross[:, None]], [cross[None, :], np.array([[of_decay]])]], format="csc")
    return slope, curve, of_decay - float(cross @ spsolve(of_pulls, cross))


def log_odds_of_going(pairs: Pairs, choice: Choice, *, places: int) -> Numbers:
    """Return by place the logarithm of the summed odds of the stores in its reach; -inf where there is none."""
    utility = choice.log_pull[pairs.store] - choice.decay * pairs.km
    found: Numbers = np.full(places, -np.inf)
    np.logaddexp.at(found, pairs.place, utility)
    return found


def on_sphere(table: pd.DataFrame) -> Numbers:
    """Return places given by ``lat, lon`` as points of the unit sphere, shape (n, 3)."""
    lat, lon = np.radians(table["lat"].to_numpy(float)), np.radians(table["lon"].to_numpy(float))
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
