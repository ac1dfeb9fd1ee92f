"""The steps of the room: what they write, say and draw, whatever the home holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from o2o_mining.contracts.catalogue import contract
from o2o_mining.core.settings import Settings
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.duckdb import DuckDBEngine
from o2o_mining.merchants.steps import build_bad_visit_costs, build_merchant_scorecards
from tests.unit.merchants.rows import AS_OF, TURNED, Logs, order, review, table, year_of_visits

TABLES = ("merchant_scorecards", "promise_gaps", "merchant_changes", "merchant_actions")


def stored(engine: DuckDBEngine, logs: Logs) -> None:
    for name in ("known_purchases", "known_coupon_lifecycle"):
        plain = name.removeprefix("known_")
        engine.write(name, table(plain, logs.get(name, [])), as_of=AS_OF)
    for feed in ("online_orders", "reviews", "merchants"):
        engine.connection.execute(f"DELETE FROM {feed}")  # noqa: S608 - names of the catalogue
        engine.upsert(feed, engine.stage(table(feed, logs.get(feed, []))), file_id=1)


def written(engine: DuckDBEngine, name: str) -> pd.DataFrame:
    frame: pd.DataFrame = engine.execute(engine.slice(name, AS_OF).order_by(list(contract(name).key[1:])))
    assert engine.violations(contract(name), as_of=AS_OF) == []
    return frame


def judged(engine: DuckDBEngine, rules: Path | None = None) -> tuple[dict[str, StepReport], dict[str, pd.DataFrame]]:
    reports = {r.table: r for r in build_merchant_scorecards(engine, as_of=AS_OF, rules_file=rules)}
    frames = {name: written(engine, name) for name in TABLES}
    assert {name: report.rows for name, report in reports.items()} == {n: len(f) for n, f in frames.items()}
    return reports, frames


@pytest.fixture(scope="module")
def year() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(":memory:", Settings())
    stored(engine, year_of_visits())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def made(year: DuckDBEngine) -> tuple[dict[str, StepReport], dict[str, pd.DataFrame]]:
    return judged(year)


def test_the_bad_are_stopped_and_the_good_are_not(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]],
) -> None:
    cards = made[1]["merchant_scorecards"].set_index("merchant_id")
    assert cards.index[cards["band"] == "act"].tolist() == ["bad", "turns"]
    assert cards.index[cards["action_code"] == "pause_offers"].tolist() == ["bad", "turns"]
    assert cards.loc[["bad", "turns"], "wait_gap_min"].tolist() == pytest.approx([12, 12], abs=0.7)
    assert (cards.loc[["bad", "turns"], "promise_gap_low"] > 1).all()
    good = cards.drop(["bad", "turns"])
    assert good["promise_gap"].abs().max() < 0.2
    assert cards["service_score"].nlargest(6).index.isin(good.index).all()
    assert cards.loc["bad", "mend_code"] == "mend_wait:12"


def test_a_merchant_that_turned_is_judged_by_what_it_is_now(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]],
) -> None:
    changes = made[1]["merchant_changes"].set_index("merchant_id")
    days = pd.to_datetime(changes.loc["turns", ["changed_on", "found_on"]]) - pd.Timestamp(TURNED)
    assert abs(days["changed_on"].days) <= 3
    assert 0 < days["found_on"].days <= 10
    cards = made[1]["merchant_scorecards"].set_index("merchant_id")
    assert cards["since_on"]["turns"] == changes["changed_on"]["turns"]
    assert cards["reason_codes"]["turns"][0] == f"changed:{changes['changed_on']['turns']:%Y-%m-%d}"


def test_every_decision_is_explained(made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]]) -> None:
    actions = made[1]["merchant_actions"].set_index("merchant_id")
    assert actions.loc["bad", "rule_code"] == "broken_promise"
    assert list(actions["reason_codes"]["bad"][:3:2]) == ["broken_promise:act", "wait:12"]
    assert "12 minutes longer" in made[0]["merchant_actions"].samples["Decided"]["why"].iloc[0]


def test_stores_and_measures_add_up_to_the_merchant(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]],
) -> None:
    gaps = made[1]["promise_gaps"]
    assert set(gaps.loc[gaps["level"] == "store", "id"]) >= {"bad-0", "bad-1"}
    single = gaps[(gaps["measure"] != "all") & (gaps["level"] == "merchant")]
    assert single.groupby("id")["weight"].sum().to_numpy() == pytest.approx(1, abs=1e-5)
    cards = made[1]["merchant_scorecards"].set_index("merchant_id")
    whole = gaps[(gaps["measure"] == "all") & (gaps["level"] == "merchant")].set_index("id")
    assert whole["gap"].tolist() == cards["promise_gap"].tolist()


def test_the_pictures_show_every_merchant(made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]]) -> None:
    charts = made[0]["merchant_scorecards"].charts
    assert set(charts) == {"gaps", "scores"}
    figure = charts["gaps"]()
    assert sum(len(trace.x) for trace in figure.data) == 8  # type: ignore[attr-defined, misc]  # Plotly has no types


def test_every_table_has_a_picture_of_its_own(made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]]) -> None:
    # Any: Plotly has no types.
    drawn: dict[str, Any] = {name: report.charts for name, report in made[0].items()}
    gaps = drawn["promise_gaps"]["gaps_by_measure"]()
    told = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in gaps.data}
    table = made[1]["promise_gaps"]
    waits = table[(table["level"] == "merchant") & (table["measure"] == "wait")].set_index("id")["gap"]
    assert told["wait"] == waits.to_dict()
    assert (
        list(gaps.layout.yaxis.categoryarray[::-1][:2])
        == table[(table["level"] == "merchant") & (table["measure"] == "all")].nlargest(2, "gap")["id"].tolist()
    )
    changes = drawn["merchant_changes"]["changes"]()
    found = next(trace for trace in changes.data if trace.name == "found")
    assert sorted(found.y) == ["bad", "turns"]
    assert "2, of which 2 stand" in changes.layout.title.text
    actions = drawn["merchant_actions"]["actions"]()
    counts = {(trace.name, rule): n for trace in actions.data for rule, n in zip(trace.y, trace.x, strict=True)}
    assert counts["pause_offers", "broken_promise"] == 2
    assert sum(counts.values()) == len(made[1]["merchant_actions"]) == 4


def test_the_order_of_rows_does_not_matter(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]], year: DuckDBEngine
) -> None:
    stored(year, {name: rows[::-1] for name, rows in year_of_visits().items()})
    _, again = judged(year)
    for name in TABLES:
        pd.testing.assert_frame_equal(made[1][name], again[name], check_exact=True)


def test_what_is_reviewed_later_changes_nothing(
    made: tuple[dict[str, StepReport], dict[str, pd.DataFrame]], year: DuckDBEngine
) -> None:
    later = [
        review(f"good0-{day}-1", review_id=f"late{day}", merchant_id="good0", rating=1, is_complaint=True,
               reviewed_at=datetime(2024, 7, 1))
        for day in range(100, 200)
    ]  # fmt: skip
    logs = year_of_visits()
    stored(year, logs | {"reviews": logs["reviews"] + later})
    _, again = judged(year)
    pd.testing.assert_frame_equal(made[1]["merchant_scorecards"], again["merchant_scorecards"], check_exact=True)


def test_a_home_s_own_rules_decide(year: DuckDBEngine, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {all: {when: {visits: {at_least: 1}}, action: notify, why: seen}}", encoding="utf-8")
    _, frames = judged(year, rules)
    assert set(frames["merchant_scorecards"]["action_code"]) == {"notify"}


def test_a_home_without_visits_has_empty_tables_and_says_so(engine: DuckDBEngine) -> None:
    stored(engine, {})
    reports, frames = judged(engine)
    assert all(frame.empty for frame in frames.values())
    notes = reports["merchant_scorecards"].notes
    assert notes[-2] == "no visit has both a promised and a known wait: waiting is not judged"
    assert notes[-1] == "no measure of a promise varies in this source: there are no scorecards"
    report = build_bad_visit_costs(engine, as_of=AS_OF)
    assert report.rows == 4
    assert report.notes[0] == "no figure for purchases of customer: too_few"
    assert set(written(engine, "bad_visit_costs")["label"]) == {"refused"}


def test_one_visit_and_no_list_of_merchants_is_judged_with_a_wide_interval(engine: DuckDBEngine) -> None:
    days = [datetime(2024, 6, day, 12) for day in (1, 2, 3)]
    visits = [order(str(at.day), purchased_at=at, consumed_at=at, waited_min=9.0 + at.day) for at in days]
    stored(engine, {"known_purchases": visits})
    reports, frames = judged(engine)
    (card,) = frames["merchant_scorecards"].to_dict("records")
    assert (card["category"], card["peers"], card["band"], card["peer_percentile"]) == ("(unknown)", 1, "good", 0.5)
    assert card["promise_gap_low"] < 0 < card["promise_gap_high"]
    assert "feed merchants is missing: all merchants are one category" in reports["merchant_scorecards"].notes


def test_a_day_before_the_log_knows_nothing(year: DuckDBEngine) -> None:
    early = date(2020, 1, 1)
    for name in ("known_purchases", "known_coupon_lifecycle"):
        year.write(name, table(name.removeprefix("known_"), []), as_of=early)
    reports = build_merchant_scorecards(year, as_of=early)
    assert [report.rows for report in reports] == [0, 0, 0, 0]
