"""The leak guard: no feature of a pair rests on a moment that the pair could not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o2o_mining.contracts.pairs import PAIR_FEATURES
from o2o_mining.core.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import ibis.expr.types as ir
    import pandas as pd

    from o2o_mining.contracts.schema import Column


def leaked_pairs(pairs: ir.Table, *, features: Sequence[Column] = PAIR_FEATURES) -> ir.Table:
    """One row with, for each moment that features rest on, the pairs in which it does not lie before the pair's own.

    Parameters
    ----------
    pairs
        Features with ``known_at`` and the moments that they rest on.
    features
        The features, each with the names of its moments.

    Returns
    -------
    ir.Table
        A count by the name of each moment.
    """
    moments = sorted({at for feature in features for at in _moments(feature)})
    return pairs.aggregate(**{at: pairs.count(where=pairs[at] >= pairs.known_at) for at in moments})


def leak_guard(
    pairs: ir.Table, *, execute: Callable[[ir.Table], pd.DataFrame], features: Sequence[Column] = PAIR_FEATURES
) -> None:
    """Refuse features that know more than their pair could.

    Parameters
    ----------
    pairs, features
        As in `leaked_pairs`.
    execute
        Runs an expression, such as ``engine.execute``.

    Raises
    ------
    ContractError
        If a feature rests on a moment that is not before its pair's, or on one that the table does not have.

    Examples
    --------
    >>> from datetime import datetime
    >>> import ibis
    >>> from o2o_mining.contracts.schema import Column
    >>> pairs = ibis.memtable({"known_at": [datetime(2024, 1, 2)], "received_until": [datetime(2024, 1, 3)]})
    >>> later = Column("n_later", "double", "Coupons received after this one.", available_at="received_until")
    >>> leak_guard(pairs, execute=lambda t: t.execute(), features=[later])
    Traceback (most recent call last):
    ...
    o2o_mining.core.errors.ContractError: feature n_later leaks: 1 pairs rest on a received_until that is not before
    the pair's moment. Next: ...
    """
    for feature in features:
        unknown = [at for at in _moments(feature) if at not in pairs.columns]
        if unknown or not _moments(feature):
            raise ContractError(
                f"feature {feature.name} rests on {', '.join(unknown) or 'no moment'}, which no pair has",
                next_step="name in available_at the latest moments that stand beside the features",
            )
    found = execute(leaked_pairs(pairs, features=features)).iloc[0]
    for feature in features:
        for at in _moments(feature):
            if int(found[at]):
                raise ContractError(
                    f"feature {feature.name} leaks: {int(found[at])} pairs rest on a {at} that is not before the "
                    "pair's moment",
                    next_step="compute features only from what came before known_at",
                )


def _moments(feature: Column) -> list[str]:
    return [at.strip() for at in feature.available_at.split(",") if at.strip()]
