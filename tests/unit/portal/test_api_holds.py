"""Whatever is asked of the API along its own description, it answers, and never with a failure of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from o2o_mining.portal.access.rights import SCOPES
from tests.unit.exports.rows import DAY
from tests.unit.portal.conftest import Visit

TIMES = 150
# What the home holds, so that some questions find something, and what people with ill will would write.
KNOWN = st.sampled_from(["rfm", "champions", "lifecycle", "active", "c000", "spring", str(DAY), "csv", "en", "10"])
HOSTILE = st.sampled_from(
    ["'; DROP TABLE x--", "../../etc/passwd", "%00", "\x00", "=1+1", "-1", "9" * 40, "0001-01-01"]
)
WORDS = st.one_of(KNOWN, HOSTILE, st.text(max_size=30), st.integers().map(str), st.dates().map(str))


def _value(draw: st.DrawFn, schema: dict[str, Any]) -> str:
    """Draw what a parameter may be by its description, or anything at all."""
    allowed = schema.get("enum") or [one for part in schema.get("anyOf", []) for one in part.get("enum", [])]
    if allowed and draw(st.booleans()):
        return str(draw(st.sampled_from(allowed)))
    return draw(WORDS)


def _question(draw: st.DrawFn, described: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    path = draw(st.sampled_from(sorted(described["paths"])))
    method = draw(st.sampled_from(sorted(described["paths"][path])))
    query = {}
    asked = path
    for parameter in described["paths"][path][method].get("parameters", []):
        if parameter["in"] == "path":
            asked = asked.replace(f"{{{parameter['name']}}}", quote(_value(draw, parameter["schema"]), safe=""))
        elif parameter["in"] == "query" and draw(st.booleans()):
            query[parameter["name"]] = _value(draw, parameter["schema"])
    return method, asked, query


def test_no_question_along_the_description_makes_the_api_fail(visit: Visit) -> None:
    visitor = visit()
    secret = visitor.access.tokens.make(visitor.add("program", "administrator"), "test", SCOPES, 1)
    header = {"authorization": f"Bearer {secret}"}
    described = visitor.client.get("/api/v1/openapi.json").json()
    assert len(described["paths"]) >= 7
    seen: set[int] = set()

    @settings(
        max_examples=TIMES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        method, path, query = data.draw(st.composite(lambda draw: _question(draw, described))())
        answer = visitor.client.request(method, path, params=query, headers=header)
        seen.add(answer.status_code)
        assert answer.status_code < 500, (method, path, query, answer.text)

    ask()
    assert seen >= {200, 404, 422}


@pytest.mark.parametrize(
    "path", ["/segments/rfm/%00", "/campaigns/%FF%FE", "/offers/" + "x" * 5000, "/quality?page=-1"]
)
def test_pages_answer_hostile_addresses_too(visit: Visit, path: str) -> None:
    visitor = visit().as_role("administrator")
    assert visitor.get(path).status_code in (200, 303, 404, 422)
