"""What the models of channels credit in each window: to channels only, from all paths together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from o2o_mining.attribution.cents import to_cents
from o2o_mining.attribution.credit.markov import effects, markov_chain
from o2o_mining.attribution.credit.models import PATH_MODELS
from o2o_mining.attribution.credit.shapley import shapley_values
from o2o_mining.attribution.credit.windows import last_window, window_starts

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.attribution.credit.coded import CountedPaths

PARTS = 10**15
"""Shares are added up as whole parts of a conversion, since sums of floats differ from run to run."""

MILLIONTH = PARTS // 10**6
"""What is credited to a channel is rounded to a millionth of a conversion, so that noise of floats does not show."""

CREDIT_SCHEMA = pa.schema(
    [
        ("window", pa.int64()), ("level", pa.string()), ("id", pa.string()), ("model", pa.string()),
        ("parts", pa.decimal128(38, 0)), ("revenue_cents", pa.int64()), ("refund_cents", pa.int64()),
    ]
)  # fmt: skip


def outcomes(purchases: ir.Table, journeys: ir.Table, *, as_of: date, lookback_days: int) -> ir.Table:
    """One journey with its outcome.

    A journey that led to no purchase is known to have failed when its last touch is older than the lookback; that is
    its time. By its last touch, no window of the length of the lookback would hold a single one.

    Parameters
    ----------
    purchases, journeys
        Columns as in the tables of these names, as known before as_of.
    as_of
        The windows end before this UTC day.
    lookback_days
        How far back the touches of the journeys count.

    Returns
    -------
    ibis.Table
        ``journey_id``, ``label`` (the number of the shortest window it lies in), ``converted`` and ``lost`` (0 or 1),
        ``paid_cents``, ``refunded_cents``.
    """
    paid = purchases.select(
        "purchase_id",
        paid_cents=to_cents(purchases.paid_amount).fill_null(0),
        # A refund without its moment is none in the ledger either.
        refunded_cents=purchases.refunded_at.notnull().ifelse(to_cents(purchases.refunded_amount), 0),
    )
    joined = journeys.left_join(paid, "purchase_id")
    known_at = joined.converted.ifelse(joined.ended_at, joined.ended_at + ibis.interval(days=lookback_days))
    return joined.select(
        "journey_id",
        label=last_window(known_at, as_of),
        converted=joined.converted.cast("int64"),
        lost=(~joined.converted).cast("int64"),
        paid_cents=joined.paid_cents.fill_null(0),
        refunded_cents=joined.refunded_cents.fill_null(0),
    )


def channel_credit(paths: CountedPaths, *, as_of: date) -> pa.Table:
    """One channel in one window: what one model of channels credits to it.

    Parameters
    ----------
    paths
        Grouped journeys, labelled with the shortest window they lie in.
    as_of
        The windows end before this UTC day.

    Returns
    -------
    pyarrow.Table
        ``window`` (its number), ``level``, ``id``, ``model``, ``parts`` of conversions, ``revenue_cents``,
        ``refund_cents``; they add up to all there is in the window.
    """
    rows = []
    for window in range(len(window_starts(as_of))):
        within = paths.counts.where(paths.counts["label"] >= window, 0)
        converted, lost = (within[name].to_numpy(dtype=np.float64) for name in ("converted", "lost"))
        if not converted.any():
            continue
        worth = {
            "markov": effects(markov_chain(paths.sequences, converted, lost, order=1)),
            "shapley": shapley_values(paths.sequences, converted, lost).value,
        }
        totals = (
            int(within["converted"].sum()) * (PARTS // MILLIONTH),
            *(int(within[name].sum()) for name in ("paid_cents", "refunded_cents")),
        )
        for model in PATH_MODELS:
            shares = worth[model] / worth[model].sum()
            parts = zip(paths.sequences.channels, *(split(total, shares).tolist() for total in totals), strict=True)
            rows += [
                (window, "channel", name, model, Decimal(millionths * MILLIONTH), paid, refunded)
                for name, millionths, paid, refunded in parts
            ]
    return as_credit(rows)


def as_credit(rows: Sequence[tuple[object, ...]]) -> pa.Table:
    """Return rows of credit as a table.

    Parameters
    ----------
    rows
        In the order of ``CREDIT_SCHEMA``.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(CREDIT_SCHEMA)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, CREDIT_SCHEMA, strict=True)]
    return pa.table(arrays, CREDIT_SCHEMA)


def split(total: int, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Share out a whole number by largest remainder, ties to the earlier; shares may be negative.

    Parameters
    ----------
    total
        What is shared out.
    shares
        They add up to 1.

    Examples
    --------
    >>> split(100, np.array([0.5, 0.755, -0.255])).tolist()
    [50, 76, -26]
    """
    # Nine digits tell remainders apart; beyond them stands the noise of floats.
    exact = np.round(shares * total, 9)
    parts: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    left = total - int(parts.sum())
    parts[np.argsort(parts - exact, kind="stable")[:left]] += 1
    return parts
