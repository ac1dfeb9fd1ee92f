"""The API: what a token opens, and what its calls answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from o2o_mining.exports import FORMATS, platforms
from o2o_mining.portal.access.rights import SCOPES
from o2o_mining.portal.api import router
from o2o_mining.portal.api.routes import Format
from tests.unit.exports.publishing import publish_tables
from tests.unit.exports.rows import DAY, credit, customer, held, offer, says
from tests.unit.portal.conftest import Visit, Visitor, campaign
from tests.unit.portal.rows import BEFORE

Ask = Callable[..., Any]


def _asking(visitor: Visitor, role: str = "marketer", *scopes: str) -> Ask:
    secret = visitor.access.tokens.make(visitor.add(role, role), "test", scopes or SCOPES, 1)

    def ask(path: str, **query: str) -> Any:
        return visitor.client.get(f"/api/v1{path}", params=query, headers={"authorization": f"Bearer {secret}"})

    return ask


@pytest.fixture
def ask(visit: Visit) -> Ask:
    return _asking(visit())


def test_segments_are_listed_with_their_names(ask: Ask) -> None:
    found = ask("/segments", scheme="rfm", language="zh-Hant").json()
    assert [(row["segment_code"], row["name"], row["customers"]) for row in found] == [
        ("champions", "冠軍顧客", 75), ("lost", "已流失", 45)
    ]  # fmt: skip
    assert [row["customers"] for row in ask("/segments", as_of=str(BEFORE)).json()] == [70]
    assert len(ask("/segments").json()) == 3


def test_members_are_asked_for_a_piece_at_a_time(ask: Ask) -> None:
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        answer = ask("/segments/rfm/members/champions", limit="40", after=after).json()
        seen += [one["customer_id"] for one in answer["members"]]
        after = answer["next_after"]
    assert seen == [f"c{number:03}" for number in range(75)]


def test_a_member_has_the_figures_of_the_page(ask: Ask) -> None:
    assert ask("/segments/rfm/members/champions", limit="1").json()["members"] == [
        {
            "customer_id": "c000", "recency_days": 3, "frequency": 4, "monetary": "0.00", "churn_probability": 0.25,
            "clv_365d": "10.00",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/segments/rfm/members/nobody", "/campaigns/nothing", "/nowhere", "/files/segments/rfm/nobody",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(ask: Ask, path: str) -> None:
    answer = ask(path)
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})


@pytest.mark.parametrize(
    ("path", "query"),
    [("/segments", {"scheme": "x"}), ("/segments", {"as_of": "x"}), ("/segments/rfm/members/lost", {"limit": "0"})],
)
def test_what_is_asked_wrongly_is_refused(ask: Ask, path: str, query: dict[str, str]) -> None:
    assert ask(path, **query).status_code == 422


def test_a_token_opens_only_what_it_was_made_for(visit: Visit) -> None:
    ask = _asking(visit(), "marketer", "segments")
    assert ask("/segments").status_code == 200
    assert ask("/segments/rfm/members/champions").status_code == 403
    assert ask("/customers/c000/offers").status_code == 403


def test_a_token_opens_no_more_than_its_user_may_see(visit: Visit) -> None:
    assert _asking(visit(), "analyst")("/files/segments/rfm/champions").status_code == 403


def test_a_token_of_a_user_who_was_put_out_opens_nothing(visit: Visit) -> None:
    visitor = visit()
    visitor.add("root", "administrator")
    ask = _asking(visitor)
    (user,) = [one for one in visitor.access.users.all() if one.name == "marketer"]
    visitor.access.users.change(user, role="marketer", merchants=(), active=False)
    assert ask("/segments").status_code == 401


def test_a_token_opens_no_page(visit: Visit) -> None:
    visitor = visit()
    secret = visitor.access.tokens.make(visitor.add("ann", "administrator"), "test", SCOPES, 1)
    answer = visitor.client.get("/segments", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 303


def test_a_file_holds_whom_the_page_would_give(ask: Ask) -> None:
    answer = ask("/files/segments/rfm/champions", **{"as": "csv", "language": "zh-Hant"})
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert (answer.status_code, len(lines), lines[0][:5]) == (200, 60, "顧客編號,")
    assert ask("/files/segments/rfm/lost").status_code == 400


def test_the_offers_of_the_plan_are_a_file(ask: Ask) -> None:
    answer = ask("/files/offers", campaign_id="spring")
    assert answer.status_code == 200, answer.text
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == ["c000"]


def test_every_format_can_be_asked_for() -> None:
    assert set(Format.__args__) == {*FORMATS, *platforms()}  # type: ignore[attr-defined]


def test_campaigns_have_what_models_credit_them_with_and_what_they_caused(visit: Visit, tmp_path: Path) -> None:
    effect = {"campaign_id": "spring", "outcome": "net_revenue", "method": "itt", "effect": 1.5, "label": "experiment"}
    publish_tables(
        tmp_path,
        {
            "campaigns": [campaign("spring"), campaign("new"), campaign("g/1")],
            "campaign_attribution": [
                credit("spring", level="campaign"),
                credit("spring"),
                credit("g/1", level="campaign"),
            ],
            "incrementality": [effect],
        },
    )
    ask = _asking(visit(tmp_path))
    listed = {row["campaign_id"]: row["net_revenue"] for row in ask("/campaigns").json()}
    assert listed == {"spring": "10.00", "new": None, "g/1": "10.00"}
    found = ask("/campaigns/spring").json()
    assert [(row["model"], row["net_revenue"]) for row in found["attribution"]] == [("last_non_direct", "10.00")]
    assert [(row["outcome"], row["effect"]) for row in found["incrementality"]] == [("net_revenue", 1.5)]
    for path in ("/campaigns/g/1", "/campaigns/g%2F1"):
        found = ask(path).json()
        assert (found["campaign_id"], len(found["attribution"])) == ("g/1", 1)


def _publish_plan(home: Path, *refusing: str) -> None:
    publish_tables(
        home,
        {
            "targeted_offers": [
                offer(id_, campaign) for id_ in ("ann", "bob", "eve") for campaign in ("spring", "new")
            ],
            "offer_holdouts": [held("zoe", "spring", "campaign")],
            "customers": [customer(id_) for id_ in ("ann", "bob", "eve")],
            "consents": [says(id_, granted=id_ not in refusing) for id_ in ("ann", "bob", "eve")],
        },
    )
    (home / "settings.toml").write_text("global_holdout_share = 0.0\n")


def _approve(home: Path, *campaigns: str) -> None:
    entries = [{"as_of": str(DAY), "campaign_id": campaign} for campaign in campaigns]
    (home / "approvals.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def _campaigns(ask: Ask, customer_id: str) -> list[str]:
    answer = ask(f"/customers/{customer_id}/offers")
    assert (answer.status_code, answer.json()["customer_id"]) == (200, customer_id)
    return [one["campaign_id"] for one in answer.json()["offers"]]


def test_a_customers_offers_are_those_of_approved_plans(visit: Visit, tmp_path: Path) -> None:
    _publish_plan(tmp_path)
    ask = _asking(visit(tmp_path))
    assert _campaigns(ask, "ann") == []
    _approve(tmp_path, "spring")
    assert _campaigns(ask, "ann") == ["spring"]
    _approve(tmp_path, "spring", "new")
    assert _campaigns(ask, "ann") == ["new", "spring"]
    assert ask("/customers/ann/offers").json()["offers"][1]["reason_codes"] == ["near:850"]
    assert _campaigns(ask, "nobody") == []


def test_who_withdrew_since_has_no_offers(visit: Visit, tmp_path: Path) -> None:
    _publish_plan(tmp_path)
    _approve(tmp_path, "spring")
    ask = _asking(visit(tmp_path))
    assert _campaigns(ask, "bob") == ["spring"]
    _publish_plan(tmp_path, "bob")
    assert _campaigns(ask, "bob") == []
    assert _campaigns(ask, "eve") == ["spring"]


def test_ids_that_are_no_plain_words_are_answered_as_they_are(ask: Ask) -> None:
    for id_ in ('"', "\\", "é", "a b", "a/b"):
        answer = ask(f"/customers/{id_}/offers")
        assert answer.json() == {"customer_id": id_, "offers": []}


def test_looks_at_the_members_are_logged(visit: Visit) -> None:
    visitor = visit()
    _asking(visitor)("/segments/rfm/members/champions")
    assert visitor.logged() == [("marketer", "people_seen", "segment rfm:champions")]


def test_every_call_is_described_and_no_page_is(visit: Visit) -> None:
    described = visit().client.get("/api/v1/openapi.json").json()["paths"]
    routes = {str(context.path).replace(":path", "") for context in iter_route_contexts(router.routes)}
    assert set(described) == routes
    assert all("404" in call["get"]["responses"] for call in described.values())
