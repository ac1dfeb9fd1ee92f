"""Who entered or left a segment between two days, and which features moved them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pandas as pd

from o2o_mining.contracts.features import FEATURES
from o2o_mining.segmentation.migration import NOWHERE, RULE, memberships

if TYPE_CHECKING:
    import ibis.expr.types as ir

ENTERED, LEFT, STAYED = "entered", "left", "stayed"
_DOCS = {feature.name: feature.doc.rstrip(".") for feature in FEATURES}


def segment_changes(before: ir.Table, now: ir.Table, *, scheme: str, code: str) -> ir.Table:
    """One customer who was in a segment on either of two days: ``customer_id``, ``change``, ``from_code``, ``to_code``.

    Parameters
    ----------
    before, now
        ``segments`` of both days.
    scheme, code
        The segment.
    """
    was, is_now = memberships(before, scheme), memberships(now, scheme)
    if scheme == RULE:
        was, is_now = was.filter(was.code == code), is_now.filter(is_now.code == code)
    both = is_now.rename(to_code="code").outer_join(was.rename(from_code="code", of="customer_id"), [
        ("customer_id", "of")
    ])  # fmt: skip
    moved = both.select(
        customer_id=both.customer_id.fill_null(both.of),
        from_code=both.from_code.fill_null(NOWHERE),
        to_code=both.to_code.fill_null(NOWHERE),
    )
    moved = moved.filter((moved.from_code == code) | (moved.to_code == code))
    change = ibis.cases((moved.from_code == moved.to_code, STAYED), (moved.to_code == code, ENTERED), else_=LEFT)
    return moved.select("customer_id", "from_code", "to_code", change=change)


def feature_changes(changes: ir.Table, before: ir.Table, now: ir.Table) -> ir.Table:
    """One row: how each feature changed for all customers known on both days, and for those who entered and left.

    Parameters
    ----------
    changes
        As ``segment_changes`` gives them.
    before, now
        ``customer_features`` of both days.

    Returns
    -------
    ibis.Table
        For each feature ``mean__<feature>`` and ``spread__<feature>`` of its change, and the means on both days of
        those who ``entered`` and ``left``: ``entered_from__<feature>``, ``entered_to__<feature>`` and so on.
    """
    names = [name for name in _DOCS if name in before.columns and name in now.columns]
    new = now.select("customer_id", *(now[name].cast("float64").name(f"to_{name}") for name in names))
    old = before.select("customer_id", *(before[name].cast("float64").name(f"from_{name}") for name in names))
    rows = new.inner_join(old, "customer_id")
    rows = rows.left_join(changes.select("customer_id", "change"), "customer_id")
    return rows.aggregate(**{f"{what}__{name}": value for name in names for what, value in _measured(rows, name)})


def _measured(rows: ir.Table, name: str) -> list[tuple[str, ir.Value]]:
    start, end = rows[f"from_{name}"], rows[f"to_{name}"]
    change, known = end - start, start.notnull() & end.notnull()
    measured = [("mean", change.mean()), ("spread", change.std(how="pop"))]
    for group in (ENTERED, LEFT):
        where = known & (rows.change == group).fill_null(False)
        measured += [(f"{group}_from", start.mean(where=where)), (f"{group}_to", end.mean(where=where))]
    return measured


def ranked_reasons(features: pd.DataFrame, group: str, *, most: int = 5) -> pd.DataFrame:
    """Return the features that moved a group the most beyond what all customers moved, in standard deviations.

    Parameters
    ----------
    features
        The row that ``feature_changes`` gives.
    group
        ``entered`` or ``left``.
    most
        How many.

    Returns
    -------
    DataFrame
        ``feature``, ``from``, ``to`` (means of the group), ``everybody`` (mean change of all), ``strength`` and
        ``said``, the same in words; the strongest first.

    Examples
    --------
    >>> row = {"mean": 0.1, "spread": 1.0, "entered_from": 0.5, "entered_to": 2.6, "left_from": None, "left_to": None}
    >>> moved = pd.DataFrame([{f"{what}__n_purchases_30d": value for what, value in row.items()}])
    >>> ranked_reasons(moved, "entered").said.tolist()
    ['Purchases of the last 30 days: 0.5 -> 2.6 on average (all customers +0.1), 2.0 standard deviations up']
    """
    parts = features.columns.str.split("__", n=1, expand=True)
    wide = pd.DataFrame(features.to_numpy(dtype="float64"), columns=parts)
    rows = wide.iloc[0].unstack(level=0).rename_axis("feature").reset_index()
    rows = rows.dropna(subset=[f"{group}_from", f"{group}_to", "spread"])
    rows = rows[rows["spread"] > 1e-9]
    moved = rows[f"{group}_to"] - rows[f"{group}_from"]
    found = pd.DataFrame({
        "feature": rows["feature"],
        "from": rows[f"{group}_from"],
        "to": rows[f"{group}_to"],
        "everybody": rows["mean"],
        "strength": ((moved - rows["mean"]) / rows["spread"]).round(3),
    })  # fmt: skip
    found = found[found["strength"] != 0]
    found = found.sort_values(["strength", "feature"], key=lambda one: -one.abs() if one.name == "strength" else one)
    found = found.head(most).reset_index(drop=True)
    found["said"] = [_said(*row) for row in found.itertuples(index=False, name=None)]
    return found


def _said(feature: str, start: float, end: float, everybody: float, strength: float) -> str:
    way = "up" if strength > 0 else "down"
    return (
        f"{_DOCS[feature]}: {start:.4g} -> {end:.4g} on average (all customers {everybody:+.3g}),"
        f" {abs(strength):.1f} standard deviations {way}"
    )
