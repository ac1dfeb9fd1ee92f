"""Links keep what they had, say where the click came from, and let no value change another."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_mining.core.errors import UsageError
from o2o_mining.tracking import link

WORDS = {"source": "line", "medium": "push", "campaign": "spring"}
# Surrogates alone are no text that an address could carry.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def test_a_plain_address_gets_its_parameters() -> None:
    assert (
        link("https://shop.example", **WORDS, content="ten", code="MC296ZZFEKQWZD5Y0TPQ")
        == "https://shop.example?utm_source=line&utm_medium=push&utm_campaign=spring&utm_content=ten"
        "&tracking_code=MC296ZZFEKQWZD5Y0TPQ"
    )


def test_its_own_query_and_fragment_stay_byte_for_byte() -> None:
    given = "https://shop.example:8443/a%20b/?q=%E9%BA%B5+x&flag&q=2#part?x=1"
    assert link(given, **WORDS) == (
        "https://shop.example:8443/a%20b/?q=%E9%BA%B5+x&flag&q=2"
        "&utm_source=line&utm_medium=push&utm_campaign=spring#part?x=1"
    )


def test_parameters_of_ours_that_it_had_are_replaced_and_linking_twice_changes_nothing() -> None:
    once = link("https://shop.example/?utm_source=old&utm%5Fmedium=old&a=1", **WORDS, code="X")
    assert once == "https://shop.example/?a=1&utm_source=line&utm_medium=push&utm_campaign=spring&tracking_code=X"
    assert link(once, **WORDS, code="X") == once


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_any_text_comes_back_as_it_was(source: str, medium: str, campaign: str, content: str, code: str) -> None:
    made = link(
        "https://shop.example/?a=1#f", source=source, medium=medium, campaign=campaign, content=content, code=code
    )
    assert made.isascii()
    assert dict(parse_qsl(urlsplit(made).query, keep_blank_values=True)) == {
        "a": "1", "utm_source": source, "utm_medium": medium, "utm_campaign": campaign, "utm_content": content,
        "tracking_code": code,
    }  # fmt: skip
    assert urlsplit(made).fragment == "f"


@pytest.mark.parametrize(
    "url",
    [
        "", "shop.example", "javascript:alert(1)", "ftp://shop.example", "https://", "https:///menu", "//shop.example",
        "https://shop.example/\r\nSet-Cookie: a=1", "https://shop.example/a b", "https://[::1", "ht\ttps://shop.example",
    ],
)  # fmt: skip
def test_what_no_browser_should_open_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address of the web"):
        link(url, **WORDS)


@pytest.mark.parametrize("name", WORDS)
def test_a_link_without_source_medium_or_campaign_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"utm_{name} is empty"):
        link("https://shop.example", **(WORDS | {name: ""}))
