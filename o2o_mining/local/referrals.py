"""How many customers bring others, how soon, and what those they bring are worth."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from o2o_mining.contracts.local import REFERRAL_RATES
from o2o_mining.engine.portable import counted, moment

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

VALUE_DAYS = 90
ALL = "(all)"
_DAY = 86_400
_DIGITS = 4
_Z95 = 1.959964
_LEAST = 30
_AGES = [0, 30, 45, 200]
_ALIKE = ["quarter", "age_band", "gender", "city"]


def newcomers(customers: ir.Table, purchases: ir.Table, *, as_of: date) -> ir.Table:
    """One customer known before a day: who they are, who brought them, and what they bought.

    Parameters
    ----------
    customers
        The feed.
    purchases
        As known before as_of.
    as_of
        Uses what was known before this UTC day; who joined at an unknown moment counts.

    Returns
    -------
    ir.Table
        ``customer_id, joined_at, referrer_id, birth_year, gender, city``, ``cents`` of net amount in all (null if none
        is known), ``early_cents`` in the 90 days from joining, and ``recent``, purchases in the 90 days before as_of.

    Examples
    --------
    >>> from datetime import date
    >>> import ibis
    >>> from o2o_mining.contracts.catalogue import contract
    >>> logs = [ibis.table(contract(name).schema, name=name) for name in ("customers", "purchases")]
    >>> newcomers(*logs, as_of=date(2024, 7, 1)).columns[-2:]
    ('early_cents', 'recent')
    """
    people = customers.filter((customers.joined_at < moment(as_of)).fill_null(True))
    people = people.select("customer_id", "joined_at", "referrer_id", "birth_year", "gender", "city")
    bought = purchases.filter(purchases.cancelled_at.isnull()).select(
        "purchased_at", buyer_id="customer_id", cents=counted(purchases.net_amount, 100)
    )
    t = people.left_join(bought, people.customer_id == bought.buyer_id)
    after = t.purchased_at.epoch_seconds() - t.joined_at.epoch_seconds()
    early = (after >= 0) & (after < VALUE_DAYS * _DAY)
    now = moment(as_of).epoch_seconds()
    recent = t.purchased_at.epoch_seconds() >= now - VALUE_DAYS * _DAY
    return t.group_by("customer_id", "joined_at", "referrer_id", "birth_year", "gender", "city").aggregate(
        cents=t.cents.sum(), early_cents=t.cents.sum(where=early).fill_null(0), recent=t.count(where=recent)
    )


def referrers(people: pd.DataFrame, rings: pd.DataFrame) -> pd.DataFrame:
    """Return the customers who brought others.

    Parameters
    ----------
    people
        As `newcomers` gives them.
    rings
        ``customer_id, ring_id`` of the accounts of rings.

    Returns
    -------
    DataFrame
        Columns of ``referrals`` but the day.

    Examples
    --------
    >>> people = pd.DataFrame({"customer_id": ["a", "b"], "referrer_id": [None, "a"], "cents": [5, 100],
    ...                        "joined_at": pd.to_datetime(["2024-01-01", "2024-01-03"]), "recent": [0, 1]})
    >>> referrers(people, pd.DataFrame(columns=["customer_id", "ring_id"]))[["referrer_id", "cycle_days"]].values[0]
    array(['a', 2.0], dtype=object)
    """
    brought = _brought(people)
    cycle = _cycles(brought, people)
    each = brought.assign(cycle_days=cycle, active=brought["recent"] > 0).groupby("referrer_id")
    found = each.agg(
        referred=("customer_id", "size"), referred_active_90d=("active", "sum"),
        first_referred_at=("joined_at", "min"), cycle_days=("cycle_days", "median"),
    )  # fmt: skip
    found["referred_net_amount"] = _money(each["cents"].sum(min_count=1))
    found["cycle_days"] = found["cycle_days"].round(_DIGITS)
    found["ring_id"] = rings.drop_duplicates("customer_id").set_index("customer_id")["ring_id"].reindex(found.index)
    found["is_ring"] = found["ring_id"].notna()
    return found.reset_index()


def joined_by_month(people: pd.DataFrame, rings: pd.DataFrame) -> pd.DataFrame:
    """Return how many customers others brought by month of joining, those brought by accounts of rings apart.

    Parameters
    ----------
    people
        As `newcomers` gives them.
    rings
        ``customer_id, ring_id`` of the accounts of rings.

    Returns
    -------
    DataFrame
        ``month, of_ring, customers``; who joined nobody knows when is left out.
    """
    brought = _brought(people).dropna(subset=["joined_at"])
    month = pd.to_datetime(brought["joined_at"]).dt.strftime("%Y-%m")
    counted = brought.assign(month=month, of_ring=brought["referrer_id"].isin(rings["customer_id"]))
    return counted.groupby(["month", "of_ring"], as_index=False).agg(customers=("customer_id", "size"))


def _brought(people: pd.DataFrame) -> pd.DataFrame:
    """Return those whom somebody brought; nobody brings themselves."""
    named = people.dropna(subset=["referrer_id"])
    return named[named["referrer_id"] != named["customer_id"]]


def referral_rates(people: pd.DataFrame, *, as_of: date, since: pd.Timestamp) -> pd.DataFrame:
    """Return how many customers those of a month brought, and what those brought are worth beside others alike.

    Parameters
    ----------
    people
        As `newcomers` gives them, without accounts of rings.
    as_of
        The day.
    since
        When the log of purchases begins: the worth of who joined before is unknown.

    Returns
    -------
    DataFrame
        Columns of ``referral_rates`` but the day; empty where no customer says who brought them.
    """
    if people["referrer_id"].isna().all():
        return pd.DataFrame()
    brought = _brought(people)
    friends = brought.groupby("referrer_id").size()
    cycle = _cycles(brought, people).groupby(brought["referrer_id"]).apply(list)
    rows = people.assign(
        brought=people["customer_id"].map(friends).fillna(0), cycles=people["customer_id"].map(cycle),
        is_referred=people["customer_id"].isin(brought["customer_id"]),
        quarter=people["joined_at"].dt.to_period("Q").astype(str), gender=people["gender"].fillna("?"),
        city=people["city"].fillna("?"), month=people["joined_at"].dt.strftime("%Y-%m"),
        age_band=pd.cut(people["joined_at"].dt.year - people["birth_year"].astype(float), _AGES).astype(str),
    )  # fmt: skip
    grown = (rows["joined_at"] >= since) & (rows["joined_at"] <= pd.Timestamp(as_of) - pd.Timedelta(days=VALUE_DAYS))
    found = []
    for cohort, some in [(ALL, rows), *rows.dropna(subset=["month"]).groupby("month")]:
        found.append({"cohort": str(cohort)} | _spread(some) | _worth(some[grown.reindex(some.index)]))
    return pd.DataFrame(found).reindex(columns=[name for name in REFERRAL_RATES.column_names if name != "as_of"])


def _money(cents: pd.Series[Any]) -> pd.Series[Any]:
    known = [
        None if value is None else Decimal(int(value)).scaleb(-2)
        for value in cents.astype("object").where(cents.notna(), None)
    ]
    return pd.Series(known, index=cents.index, dtype="object")


def _cycles(brought: pd.DataFrame, people: pd.DataFrame) -> pd.Series[float]:
    """Return the days from the referrer's joining to that of the customer brought; null where unknown or negative."""
    joined = people.set_index("customer_id")["joined_at"]
    before = joined.reindex(brought["referrer_id"]).set_axis(brought.index)
    days = (brought["joined_at"] - before).dt.total_seconds() / _DAY
    return days.where(days >= 0)


def _spread(rows: pd.DataFrame) -> dict[str, Any]:
    count, brought = len(rows), rows["brought"].to_numpy(float)
    half = _Z95 * float(brought.std(ddof=1)) / np.sqrt(count) if count > 1 else 0.0
    cycles = [days for some in rows["cycles"].dropna() for days in some if days == days]
    mean = float(brought.mean())
    return {
        "customers": count, "referred": int(rows["is_referred"].sum()), "brought": int(brought.sum()),
        "k_factor": round(mean, _DIGITS), "k_factor_low": round(max(mean - half, 0.0), _DIGITS),
        "k_factor_high": round(mean + half, _DIGITS),
        "cycle_days": round(float(np.median(cycles)), _DIGITS) if cycles else None,
    }  # fmt: skip


def _worth(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the mean difference over those brought, against others of their stratum (coarsened exact matching)."""
    value = rows["early_cents"].to_numpy(float) / 100
    stratum = rows.groupby(_ALIKE).ngroup().to_numpy()
    is_referred = rows["is_referred"].to_numpy(bool)
    size = int(stratum.max(initial=-1)) + 1
    ours, others = (np.bincount(stratum[side], minlength=size) for side in (is_referred, ~is_referred))
    both = (ours > 0) & (others > 0)
    one, other = is_referred & both[stratum], ~is_referred & both[stratum]
    matched = round(float(one.sum() / max(is_referred.sum(), 1)), _DIGITS) if is_referred.any() else None
    if one.sum() < _LEAST or other.sum() < _LEAST:
        return {"matched_share": matched, "label": "refused", "reason_code": "too_few"}
    weight = (ours / np.maximum(others, 1))[stratum]
    sums = np.bincount(stratum[other], weights=value[other], minlength=size)
    usual = (sums / np.maximum(others, 1))[stratum]
    mine, theirs = float(value[one].mean()), float(np.average(value[other], weights=weight[other]))
    # Friends of one referrer are like each other: they count together.
    apart = pd.Series(value[one] - usual[one] - (mine - theirs)).groupby(rows["referrer_id"].to_numpy()[one]).sum()
    rest = (value[other] - usual[other]) * weight[other] / one.sum()
    half = _Z95 * float(np.sqrt((apart**2).sum() / one.sum() ** 2 + (rest**2).sum()))
    numbers = {
        "value_referred": mine, "value_other": theirs, "difference": mine - theirs,
        "difference_low": mine - theirs - half, "difference_high": mine - theirs + half,
    }  # fmt: skip
    rounded = {name: round(number, _DIGITS) for name, number in numbers.items()}
    return rounded | {"matched_share": matched, "label": "observational", "reason_code": None}
