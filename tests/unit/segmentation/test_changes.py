"""Who entered, who left, and what moved them."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
import pytest

from o2o_mining.segmentation.changes import feature_changes, ranked_reasons, segment_changes
from o2o_mining.segmentation.migration import segment_migration


def _segments(**people: tuple[str | None, list[str]]) -> Any:
    schema = ibis.schema({
        "customer_id": "string", "segment_code": "string", "cluster": "string", "lifecycle_stage": "string",
        "rule_segments": "array<string>",
    })  # fmt: skip
    rows = [(name, code, None, code, rules) for name, (code, rules) in people.items()]
    return ibis.memtable(pd.DataFrame(rows, columns=list(schema)), schema=schema)


BEFORE = _segments(ann=("new", ["vip"]), bob=("active", ["vip"]), cleo=("active", []), dan=(None, []))
NOW = _segments(ann=("active", ["vip"]), bob=("lost", []), cleo=("active", ["vip"]), eve=("active", []))


def test_moves_of_every_scheme_are_counted_once() -> None:
    moved = segment_migration(NOW, BEFORE).execute()
    found = {(m.scheme, m.from_code, m.to_code): m.customers for m in moved.itertuples()}
    stages = {("new", "active"): 1, ("active", "lost"): 1, ("active", "active"): 1, ("(none)", "active"): 1}
    rules = {("vip", "vip"): 1, ("vip", "(none)"): 1, ("(none)", "vip"): 1}
    expected = {(scheme, *move): n for scheme in ("rfm", "lifecycle") for move, n in stages.items()}
    assert found == expected | {("rule", *move): n for move, n in rules.items()}


@pytest.mark.parametrize(
    ("scheme", "code", "changes"),
    [
        ("lifecycle", "active", {"ann": "entered", "bob": "left", "cleo": "stayed", "eve": "entered"}),
        ("lifecycle", "lost", {"bob": "entered"}),
        ("rule", "vip", {"ann": "stayed", "bob": "left", "cleo": "entered"}),
        ("rule", "nobody", {}),
    ],
)
def test_who_entered_left_and_stayed(scheme: str, code: str, changes: dict[str, str]) -> None:
    found = segment_changes(BEFORE, NOW, scheme=scheme, code=code).execute()
    assert dict(zip(found["customer_id"], found["change"], strict=True)) == changes


def _features(n_purchases: list[float | None], mean_distance_m: list[float]) -> Any:
    names = [f"c{place}" for place in range(len(n_purchases))]
    rows = {"customer_id": names, "n_purchases": n_purchases, "mean_distance_m": mean_distance_m}
    return ibis.memtable(pd.DataFrame(rows))


def test_the_feature_that_moved_the_group_beyond_all_comes_first() -> None:
    changes = ibis.memtable({"customer_id": ["c0", "c1", "c9"], "change": ["entered", "entered", "left"]})
    before = _features([1, 2, 3, 4, None], [10, 20, 30, 40, 50])
    now = _features([6, 7, 3, 4, 9], [11, 21, 31, 41, 61])
    found = feature_changes(changes, before, now).execute()
    entered = ranked_reasons(found, "entered")
    assert entered["feature"].tolist() == ["n_purchases", "mean_distance_m"]
    first = entered.iloc[0]
    # Changes 5, 5, 0, 0: mean 2.5, deviation 2.5. Whose value was not known on both days does not count.
    assert (first["from"], first["to"], first["everybody"], first["strength"]) == (1.5, 6.5, 2.5, 1.0)
    assert first["said"] == "Purchases: 1.5 -> 6.5 on average (all customers +2.5), 1.0 standard deviations up"
    assert entered.iloc[1]["strength"] == pytest.approx(-0.5)
    assert ranked_reasons(found, "left").empty


def test_where_nothing_changed_there_is_no_reason() -> None:
    changes = ibis.memtable({"customer_id": ["c0"], "change": ["entered"]})
    same = _features([1, 2], [10, 20])
    assert ranked_reasons(feature_changes(changes, same, same).execute(), "entered").empty
