"""The scorecard of a merchant: service, cost and efficiency beside its peers, what to mend, and its band."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from o2o_mining.contracts.merchants import ALL
from o2o_mining.merchants.gaps import DIGITS, WINDOW_DAYS
from o2o_mining.merchants.reasons import gap_reasons, mend_first

if TYPE_CHECKING:
    from datetime import date

    from o2o_mining.merchants.changes import Limits, Watched

UNKNOWN = "(unknown)"
# With fewer merchants a category is no company to be ranked in: all merchants are peers then.
_LEAST_PEERS = 5
_MIDDLE = 50.0


def scorecards(
    gaps: pd.DataFrame, seen: pd.DataFrame, sales: pd.DataFrame, watched: Watched, *, categories: pd.Series[str]
) -> pd.DataFrame:
    """Return the scorecards but for band and what the rules decide, by merchant.

    Parameters
    ----------
    gaps
        As `promise_gaps` returns them.
    seen
        What was seen of merchants in their window, as `seen_shares` returns it.
    sales
        As `merchant_sales` gives them, by merchant, as numbers.
    watched
        Changes and evidence.
    categories
        By merchant, all merchants of the scorecards.

    Returns
    -------
    DataFrame
        Columns of ``merchant_scorecards`` by ``merchant_id``.
    """
    whole, single = _of_merchants(gaps, ALL), gaps[(gaps["level"] == "merchant") & (gaps["measure"] != ALL)]
    cards = pd.DataFrame(
        {
            "category": categories,
            "visits": whole["visits"],
            "promise_gap": whole["gap"],
            "promise_gap_low": whole["gap_low"],
            "promise_gap_high": whole["gap_high"],
        },
        index=categories.index,
    )
    wait, rating = _of_merchants(gaps, "wait"), _of_merchants(gaps, "rating")
    for name, end in (("wait_gap_min", "gap"), ("wait_gap_min_low", "gap_low"), ("wait_gap_min_high", "gap_high")):
        cards[name] = (wait[end] * wait["spread"]).round(DIGITS)
    cards["rating_gap"] = (rating["gap"] * rating["spread"]).round(DIGITS)
    cards = cards.join(seen).join(_sold(sales))
    for name in ("refund_share", "complaint_share"):
        cards[name] = cards[name].fillna(0.0)
    cards = cards.join(_ranks(cards))
    cards["evidence"] = watched.evidence.reindex(cards.index).fillna(0.0)
    standing = watched.changes[watched.changes["lifted_on"].isna()].set_index("merchant_id")
    cards["found_on"] = standing["found_on"].reindex(cards.index)
    worse = gap_reasons(single).to_dict()
    since = standing["changed_on"].to_dict()
    merchants = [str(merchant) for merchant in cards.index]
    cards["reason_codes"] = [
        [*([f"changed:{since[merchant]}"] if merchant in since else []), *worse.get(merchant, [])]
        for merchant in merchants
    ]
    numbers = zip(cards["cost_score"], cards["cost_share"], cards["efficiency_score"], strict=True)
    cards["mend_code"] = [
        mend_first(worse.get(merchant, []), cost_score=cost, cost_share=share, efficiency_score=efficiency)
        for merchant, (cost, share, efficiency) in zip(merchants, numbers, strict=True)
    ]
    return cards


def bands(cards: pd.DataFrame, limits: Limits) -> pd.Series[str]:
    """Return the band of each merchant: ``act`` while a change for the worse stands, ``watch`` where a gap shows.

    Parameters
    ----------
    cards
        ``found_on``, ``promise_gap`` and ``promise_gap_low``.
    limits
        ``good_within``: a gap shows from there on, if its interval leaves out 0.

    Examples
    --------
    >>> from datetime import date
    >>> from o2o_mining.merchants.rules import read_judging
    >>> cards = pd.DataFrame({"found_on": [date(2024, 7, 1), None, None], "promise_gap": [1.0, 0.4, 0.4],
    ...                       "promise_gap_low": [0.5, 0.1, -0.1]})
    >>> bands(cards, read_judging().limits).tolist()
    ['act', 'watch', 'good']
    """
    shows = (cards["promise_gap"] >= limits.good_within) & (cards["promise_gap_low"] > 0)
    return pd.Series(np.select([cards["found_on"].notna(), shows], ["act", "watch"], "good"), index=cards.index)


def seen_shares(observed: pd.DataFrame, since_age: pd.Series[int], *, bad_min: float) -> pd.DataFrame:
    """Return by merchant the plain shares of its window; null where the source does not tell.

    Parameters
    ----------
    observed
        ``measure, merchant_id, age, value, n``.
    since_age
        By merchant: how many days before as_of count.
    bad_min
        Minutes beyond the promise that make a visit bad.

    Returns
    -------
    DataFrame
        ``refund_share, complaint_share, kept_reservations_share, bad_visit_share``.

    Examples
    --------
    >>> rows = pd.DataFrame({"measure": ["refund", "refund", "wait"], "merchant_id": "m", "age": 3,
    ...                      "value": [1.0, 0.0, 12.0], "n": [1, 3, 2]})
    >>> seen_shares(rows, pd.Series({"m": 90}), bad_min=10).loc["m", ["refund_share", "bad_visit_share"]].tolist()
    [0.25, 1.0]
    """
    rows = observed[observed["age"] <= observed["merchant_id"].map(since_age)]
    is_wait = rows["measure"] == "wait"
    value = rows["value"].where(~is_wait, (rows["value"] > bad_min).astype(float))
    sums = rows.assign(total=rows["n"] * value).groupby(["measure", "merchant_id"])[["total", "n"]].sum()
    shares = (sums["total"] / sums["n"]).round(DIGITS)

    def of(measure: str) -> pd.Series[float]:
        known = measure in shares.index.get_level_values("measure")
        found = shares.loc[measure] if known else pd.Series(dtype="float64")
        return found.reindex(since_age.index)

    return pd.DataFrame(
        {
            "refund_share": of("refund"),
            "complaint_share": of("complaint"),
            "kept_reservations_share": (1 - of("reservation")).round(DIGITS),
            "bad_visit_share": of("wait"),
        }
    )


def windows(watched: Watched, merchants: pd.Index[str], *, as_of: date) -> pd.Series[int]:
    """Return by merchant how many days before as_of its visits count: 90, or since it last turned bad or mended.

    Parameters
    ----------
    watched
        Changes found.
    merchants
        Their ids.
    as_of
        The day.
    """
    changes = watched.changes
    last = changes["lifted_on"].where(changes["lifted_on"].notna(), changes["changed_on"])
    since = last.groupby(changes["merchant_id"]).max()
    ages = since.map(lambda day: max((as_of - day).days, 1)).reindex(merchants)
    return ages.fillna(WINDOW_DAYS).clip(upper=WINDOW_DAYS).astype("int64")


def _of_merchants(gaps: pd.DataFrame, measure: str) -> pd.DataFrame:
    return gaps[(gaps["level"] == "merchant") & (gaps["measure"] == measure)].set_index("id")


def _sold(sales: pd.DataFrame) -> pd.DataFrame:
    given = sales["discount_amount"].fillna(0.0) + sales["media"].fillna(0.0)
    known = sales["list_amount"] > 0
    coupons = (sales["used"].fillna(0) + sales["expired"].fillna(0)).astype(float)
    return pd.DataFrame(
        {
            "cost_share": (given / sales["list_amount"].where(known)).round(DIGITS),
            "net_amount_per_store_day": (
                sales["net_amount"] / (sales["stores"].clip(lower=1) * WINDOW_DAYS)
            ).round(DIGITS),
            "redeemed_share": (sales["used"].fillna(0) / coupons.where(coupons > 0)).round(DIGITS),
        }
    )  # fmt: skip


def _ranks(cards: pd.DataFrame) -> pd.DataFrame:
    """Return percentiles among peers; equal values share the mean rank, and what is unknown stands in the middle."""
    size = cards.groupby("category")["category"].transform("size")
    group = cards["category"].where(size >= _LEAST_PEERS, "")
    whole = pd.Series("", index=cards.index)
    # Merchants of small categories are ranked among all, those of large ones among their own.
    small = group == ""

    def percentile(value: pd.Series[float]) -> pd.Series[float]:
        def within(groups: pd.Series[str]) -> pd.Series[float]:
            ranks = value.groupby(groups).rank()
            return 100 * (ranks - 0.5) / value.groupby(groups).transform("count")

        return within(group).where(~small, within(whole)).fillna(_MIDDLE).round(DIGITS)

    service, cost = percentile(-cards["promise_gap"]), percentile(-cards["cost_share"])
    sales, coupons = percentile(cards["net_amount_per_store_day"]), percentile(cards["redeemed_share"])
    efficiency = ((sales + coupons) / 2).round(DIGITS)
    return pd.DataFrame(
        {
            "peers": size.where(~small, len(cards)),
            "service_score": service,
            "cost_score": cost,
            "efficiency_score": efficiency,
            "peer_percentile": (percentile(service + cost + efficiency) / 100).round(DIGITS),
        }
    )
