"""How good predictions of use were, on receipts that came after those they were learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 10
_TOP = 0.1
_TIMES = 200
# The 95 % interval of what bootstraps gave.
_ENDS = (0.025, 0.975)


def redemption_quality(
    probability: NDArray[np.float64], used: NDArray[np.bool_], offer: NDArray[np.object_]
) -> dict[str, float]:
    """Return the measures of predicted probabilities; those that need both outcomes are left out without them.

    Parameters
    ----------
    probability, used, offer
        Shape (n,). The prediction, the outcome, and the coupon or campaign of each receipt.

    Returns
    -------
    dict
        ``brier``, ``calibration_error`` (mean distance of predicted and seen shares over ten bins of like
        predictions), ``auc``, ``mean_auc`` (mean of the AUCs of offers with both outcomes), ``average_precision``, and
        ``lift_10`` (share of use among the likeliest tenth, over the share among all).

    Examples
    --------
    >>> made = redemption_quality(np.array([0.9, 0.1]), np.array([True, False]), np.array(["a", "a"], dtype=object))
    >>> made["auc"], made["mean_auc"], made["lift_10"]
    (1.0, 1.0, 2.0)
    """
    if not len(used):
        return {}
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, _BINS + 1)[1:-1]))
    off = np.bincount(np.searchsorted(edges, probability, side="right"), probability - used)
    found = {
        "brier": float(((probability - used) ** 2).mean()),
        "calibration_error": float(np.abs(off).sum() / len(used)),
    }
    if not 0 < used.sum() < len(used):
        return found
    top = np.lexsort((np.arange(len(used)), -probability))[: max(1, round(len(used) * _TOP))]
    each = _auc(probability, used, pd.factorize(offer)[0])
    return found | {
        "auc": float(_auc(probability, used, np.zeros(len(used), dtype=np.int64))[0]),
        "average_precision": float(average_precision_score(used, probability)),
        "lift_10": float(used[top].mean() / used.mean()),
        **({"mean_auc": float(each.mean())} if len(each) else {}),
    }


def _auc(probability: NDArray[np.float64], used: NDArray[np.bool_], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the AUC within each group that holds both outcomes, by ranks (Mann and Whitney); ties count half."""
    order = np.lexsort((probability, group))
    g, p, y = group[order], probability[order], used[order]
    first = np.r_[True, (g[1:] != g[:-1]) | (p[1:] != p[:-1])]
    tie = np.cumsum(first) - 1
    place = np.arange(len(g), dtype=np.float64)
    mean_place = np.bincount(tie, place) / np.bincount(tie)
    count = np.bincount(g)
    rank = mean_place[tie] - (np.cumsum(count) - count)[g] + 1
    ones = np.bincount(g, y)
    zeros = count - ones
    both = (ones > 0) & (zeros > 0)
    wins = np.bincount(g, rank * y) - ones * (ones + 1) / 2
    return np.asarray(wins[both] / (ones * zeros)[both])


def with_intervals(
    probability: NDArray[np.float64],
    used: NDArray[np.bool_],
    offer: NDArray[np.object_],
    customer: NDArray[np.object_],
    *,
    n_bootstrap: int = _TIMES,
) -> pd.DataFrame:
    """Return the measures with 95 % intervals from drawing customers, not receipts, again and again.

    Parameters
    ----------
    probability, used, offer
        As in `redemption_quality`.
    customer
        Shape (n,). Whose receipt it is: those of one customer go together.
    n_bootstrap
        How often is drawn.

    Returns
    -------
    DataFrame
        ``metric, value, value_low, value_high``.

    Examples
    --------
    >>> p, used = np.tile([0.8, 0.2], 30), np.tile([True, False], 30)
    >>> who = np.arange(60).astype(object)
    >>> made = with_intervals(p, used, np.full(60, "a", dtype=object), who, n_bootstrap=20).set_index("metric")
    >>> float(made.loc["auc", "value_low"])
    1.0
    """
    values = redemption_quality(probability, used, offer)
    codes = pd.factorize(customer)[0]
    places = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes) if len(codes) else np.zeros(0, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(n_bootstrap if len(sizes) > 1 else 0):
        who = rng.integers(0, len(sizes), len(sizes))
        within = np.arange(sizes[who].sum()) - np.repeat(np.cumsum(sizes[who]) - sizes[who], sizes[who])
        rows = places[np.repeat(starts[who], sizes[who]) + within]
        drawn.append(redemption_quality(probability[rows], used[rows], offer[rows]))
    again = pd.DataFrame(drawn)
    rows_made = [
        (name, value, *(again[name].quantile(list(_ENDS)) if name in again else (np.nan, np.nan)))
        for name, value in values.items()
    ]
    return pd.DataFrame(rows_made, columns=["metric", "value", "value_low", "value_high"])
