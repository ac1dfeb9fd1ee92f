"""How many offers a plan may send for a merchant: the cap of the settings, as the rules of the scorecards change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

LOWER, RAISE = "lower_cap", "raise_cap"


def merchant_limits(usual: pd.DataFrame, actions: Mapping[str, str], cap: int) -> dict[str, int]:
    """Return how many offers may be sent for each merchant that the rules name.

    A cap alone would not touch a merchant far below it: ``lower_cap`` halves what would really be sent.

    Parameters
    ----------
    usual
        The offers that would be sent if no cap were lowered: ``merchant_id``; they keep the cap.
    actions
        What the rules do, by merchant.
    cap
        The cap of the other merchants.

    Returns
    -------
    dict of int
        Half, rounded down, of what would be sent for the merchant, for ``lower_cap``; twice the cap, for ``raise_cap``.

    Examples
    --------
    >>> usual = pd.DataFrame({"merchant_id": ["tea"] * 7 + ["spa"] * 2})
    >>> merchant_limits(usual, {"tea": "lower_cap", "spa": "raise_cap", "gym": "notify"}, 100)
    {'tea': 3, 'spa': 200}
    """
    sent = usual["merchant_id"].value_counts()
    lowered = {name: int(sent.get(name, 0)) // 2 for name, action in actions.items() if action == LOWER}
    return lowered | {name: 2 * cap for name, action in actions.items() if action == RAISE}


def rooms_beyond(sent: pd.DataFrame, coupons: Mapping[str, str], limits: Mapping[str, int], cap: int) -> dict[str, int]:
    """Return for the coupons of merchants for whom too much is sent how many pieces each may have instead.

    Parameters
    ----------
    sent
        The offers sent: ``merchant_id, coupon_id``.
    coupons
        The merchant of every coupon.
    limits, cap
        Most offers by merchant, and for merchants not named.

    Returns
    -------
    dict of int
        Pieces by coupon, in the shares in which they are sent; of a merchant they add up to its limit.

    Examples
    --------
    >>> sent = pd.DataFrame({"merchant_id": "tea", "coupon_id": ["a", "a", "a", "b", "b"]})
    >>> rooms_beyond(sent, {"a": "tea", "b": "tea", "c": "tea", "d": "spa"}, {"tea": 2}, 100)
    {'a': 1, 'b': 1, 'c': 0}
    """
    if sent.empty:
        return {}
    pieces = sent.groupby("coupon_id").size().reindex(sorted(coupons), fill_value=0)
    merchant = pieces.index.map(coupons)
    most = merchant.map(lambda name: limits.get(name, cap)).astype("int64")
    total = pieces.groupby(merchant).transform("sum")
    until = pieces.groupby(merchant).cumsum()
    # Whole numbers all along: what is rounded down at one coupon goes to the next, not lost.
    rooms = until * most // total.clip(lower=1) - (until - pieces) * most // total.clip(lower=1)
    return {str(coupon): int(room) for coupon, room in rooms[total > most].items()}
