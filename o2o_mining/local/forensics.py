"""Coupons that went astray: used twice, too fast, by the merchant's own circle, or by a ring of accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from o2o_mining.engine.portable import counted, moment
from o2o_mining.local.honesty import account_digits, at_least, usual
from o2o_mining.local.visits import GRID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.local.honesty import Usual

LEAST_USES = 3
_FOUND = 2.0  # digits after all tests of a kind: a hundredth of a finding that is none is expected
_MEMBER, _RING = 2.0, 6.0
_LEAST_MEMBERS = 3
_TOGETHER_DAYS = 7
_CIRCLE_SHARE, _CIRCLE_QUICK = 0.9, 0.5
_PLACES = 2
_KEY = ["customer_id", "merchant_id"]


def suspects(accounts: pd.DataFrame) -> tuple[pd.DataFrame, Usual]:
    """Return the evidence against accounts with at least three uses at a merchant, and what is usual.

    Parameters
    ----------
    accounts
        As the transformation `accounts` gives them.

    Returns
    -------
    tuple of DataFrame and Usual
        The accounts' columns, ``everywhere``, and their digits as columns ``d_quick, d_only, d_again, d_burst, d_all``;
        in the order of customer and merchant.
    """
    rows = accounts.sort_values(_KEY, ignore_index=True)
    rows["everywhere"] = rows.groupby("customer_id")["uses"].transform("sum")
    of = usual(rows)
    looked_at = rows[rows["uses"] >= LEAST_USES].reset_index(drop=True)
    return looked_at.join(account_digits(looked_at, of).add_prefix("d_")), of


def coupon_findings(accounts: pd.DataFrame, uses: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Return everything that was found.

    Parameters
    ----------
    accounts
        As the transformation `accounts` gives them.
    uses
        As `uses_of` gives them: at least those of accounts with three uses and of receipts used again.
    people
        ``customer_id, referrer_id, joined_at, home``: of a home any name of the place, null where unknown.

    Returns
    -------
    DataFrame
        Columns of ``coupon_forensics`` but the day.

    Examples
    --------
    >>> nothing = [pd.DataFrame(columns=names) for names in (
    ...     ["customer_id", "merchant_id", "uses", "timed", "quick", "again", "moments", "days"],
    ...     ["use_id", "customer_id", "merchant_id", "redeemed_at", "spent_id", "is_again", "seconds", "cents"],
    ...     ["customer_id", "referrer_id", "joined_at", "home"])]
    >>> len(coupon_findings(*nothing))
    0
    """
    if accounts.empty:
        return pd.DataFrame()
    looked_at, of = suspects(accounts)
    uses = uses.sort_values(["redeemed_at", "use_id"], ignore_index=True)
    found = [
        *_doubles(uses, accounts, of),
        *_velocities(looked_at, uses),
        *_circles(looked_at, accounts, uses),
        *_rings(looked_at, uses, people),
    ]
    return pd.DataFrame(found).sort_values("finding_id", ignore_index=True) if found else pd.DataFrame()


def at_risk(found: pd.DataFrame, uses: pd.DataFrame) -> Decimal:
    """Return the discounts of all uses found, each counted once; of receipts used twice the later uses."""
    if found.empty:
        return Decimal(0)
    double = found["kind"] == "double_redemption"
    concerned = set(found.loc[~double, "receipt_ids"].explode())
    chosen = uses["is_again"] | uses["use_id"].isin(concerned)
    return Decimal(int(uses.loc[chosen, "cents"].clip(lower=0).sum())).scaleb(-2)


def people_of(customers: ir.Table, *, as_of: date) -> ir.Table:
    """One customer known before a day: who brought them, when they joined, and where they live to about 110 m.

    Parameters
    ----------
    customers
        The feed.
    as_of
        Uses what was known before this UTC day.

    Returns
    -------
    ir.Table
        ``customer_id, referrer_id, joined_at, home`` (null where unknown).

    Examples
    --------
    >>> from datetime import date
    >>> import ibis
    >>> from o2o_mining.contracts.catalogue import contract
    >>> people_of(ibis.table(contract("customers").schema, name="c"), as_of=date(2024, 7, 1)).columns[-1]
    'home'
    """
    t = customers.filter((customers.joined_at < moment(as_of)).fill_null(True))
    place = [counted(at, GRID).cast("string") for at in (t.home_lat, t.home_lon)]
    return t.select("customer_id", "referrer_id", "joined_at", home=place[0] + " " + place[1])


def _finding(
    kind: str, about: str, uses: pd.DataFrame, *, score: float, evidence: Iterable[str], cents: int | None = None
) -> dict[str, Any]:
    return {
        "finding_id": f"{kind}:{about}", "kind": kind, "merchant_id": uses["merchant_id"].iloc[0],
        "customer_ids": sorted(set(uses["customer_id"])), "receipt_ids": sorted(set(uses["use_id"])),
        "accounts": int(uses["customer_id"].nunique()), "uses": len(uses), "first_at": uses["redeemed_at"].min(),
        "last_at": uses["redeemed_at"].max(), "score": round(float(np.clip(score, 0, 99)), _PLACES),
        "amount_at_risk": Decimal(int(uses["cents"].clip(lower=0).sum()) if cents is None else cents).scaleb(-2),
        "evidence_codes": list(evidence),
    }  # fmt: skip


def _doubles(uses: pd.DataFrame, accounts: pd.DataFrame, of: Usual) -> Iterator[dict[str, Any]]:
    """Every receipt used more than once: what its later uses took off is at risk."""
    again = uses["spent_id"].isin(uses.loc[uses["is_again"], "spent_id"])
    both = accounts.set_index(_KEY)
    several = np.log10(len(accounts))
    for receipt, rows in uses[again & uses["spent_id"].notna()].groupby("spent_id"):
        later = rows[rows["is_again"]]
        who = both.loc[(later["customer_id"].iloc[0], later["merchant_id"].iloc[0])]
        digits = at_least(np.array([float(who["again"])]), np.array([float(who["uses"])]), of.again)[0]
        hours = (rows["redeemed_at"].iloc[-1] - rows["redeemed_at"].iloc[0]).total_seconds() / 3600
        yield _finding(
            "double_redemption", str(receipt), rows, score=digits - several,
            evidence=[f"used_again:{len(rows)}:{hours:.0f}"], cents=int(later["cents"].clip(lower=0).sum()),
        )  # fmt: skip


def _velocities(looked_at: pd.DataFrame, uses: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Accounts that use coupons within minutes of receipt, or many on a day, more than chance lets an honest one."""
    score = looked_at[["d_quick", "d_burst"]].max(axis=1) - np.log10(2 * max(len(looked_at), 1))
    fast = looked_at[score >= _FOUND]
    of = _uses_by_account(uses)
    for row, digits in zip(fast.to_dict("records"), score[fast.index], strict=True):
        evidence = []
        if row["d_quick"] >= _MEMBER:
            evidence.append(f"quick:{row['quick']}:{row['timed']}")
        if row["d_burst"] >= _MEMBER:
            evidence.append(f"burst:{row['moments']}:{row['days']}")
        about = f"{row['customer_id']}:{row['merchant_id']}"
        rows = of[(row["customer_id"], row["merchant_id"])]
        yield _finding("velocity", about, rows, score=digits, evidence=evidence)


def _circles(looked_at: pd.DataFrame, accounts: pd.DataFrame, uses: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Merchants with more accounts than others have that use its coupons alone, and mostly within half an hour."""
    only = looked_at["uses"] >= _CIRCLE_SHARE * looked_at["everywhere"]
    fast = looked_at["quick"] >= _CIRCLE_QUICK * looked_at["timed"].clip(lower=1)
    circle = looked_at[only & fast]
    served = accounts.groupby("merchant_id").size()
    total, suspect = int(served.sum()), len(circle)
    of = _uses_by_account(uses)
    for merchant, own in circle.groupby("merchant_id"):
        count, served_here = len(own), int(served[str(merchant)])
        share = (suspect - count + 1) / (total - served_here + 2)
        digits = at_least(np.array([float(count)]), np.array([float(served_here)]), share)[0]
        score = digits - np.log10(len(served))
        if score >= _FOUND:
            rows = pd.concat([of[(customer, merchant)] for customer in own["customer_id"]])
            evidence = [f"circle:{count}:{served_here}", f"quick:{own['quick'].sum()}:{own['timed'].sum()}"]
            yield _finding("self_redemption", str(merchant), rows, score=score, evidence=evidence)


def _rings(looked_at: pd.DataFrame, uses: pd.DataFrame, people: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Accounts that brought each other or moved in together, and farm one merchant's coupon in the same way."""
    members = looked_at[looked_at["d_all"] >= _MEMBER].merge(people, on="customer_id", how="left")
    links = _links(members)
    ends = np.array([(a, b) for a, b, _ in links], dtype=np.int64).reshape(-1, 2)
    graph = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(members),) * 2)
    group = connected_components(graph, directed=False)[1] if len(members) else np.zeros(0)
    of = _uses_by_account(uses)
    for _, rows in members.groupby(group):
        score = float(rows["d_all"].sum()) - np.log10(len(looked_at))
        if len(rows) < _LEAST_MEMBERS or score < _RING:
            continue
        merchant = rows["merchant_id"].iloc[0]
        inside = set(rows.index)
        kinds = pd.Series([kind for a, b, kind in links if a in inside and b in inside]).value_counts()
        evidence = [f"{kind}:{kinds[kind]}" for kind in ("referred", "same_home") if kind in kinds]
        evidence.append(f"quick:{rows['quick'].sum()}:{rows['timed'].sum()}")
        evidence.append(f"only_here:{rows['uses'].sum()}:{rows['everywhere'].sum()}")
        if rows["again"].sum():
            evidence.append(f"again:{rows['again'].sum()}")
        spent = pd.concat([of[(customer, merchant)] for customer in rows["customer_id"]])
        about = f"{rows['customer_id'].min()}:{merchant}"
        yield _finding("ring", about, spent, score=score, evidence=evidence)


def _links(members: pd.DataFrame) -> list[tuple[int, int, str]]:
    """Return pairs of members of one merchant: one brought the other, or both joined from one home within a week."""
    place = {
        (who, at): n for n, (who, at) in enumerate(zip(members["customer_id"], members["merchant_id"], strict=True))
    }
    links = []
    for n, (by, at) in enumerate(zip(members["referrer_id"], members["merchant_id"], strict=True)):
        if (by, at) in place:
            links.append((n, place[(by, at)], "referred"))
    known = members.dropna(subset=["home", "joined_at"])
    for _, rows in known.sort_values(["joined_at", "customer_id"]).groupby(["merchant_id", "home"]):
        joined, number = rows["joined_at"].to_numpy(), rows.index.to_numpy()
        near = np.flatnonzero(np.diff(joined) <= np.timedelta64(_TOGETHER_DAYS, "D"))
        links += [(int(number[n]), int(number[n + 1]), "same_home") for n in near]
    return links


def _uses_by_account(uses: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    return dict(list(uses.groupby(_KEY)))
