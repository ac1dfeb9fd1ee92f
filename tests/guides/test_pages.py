"""Every room that answers a question has a page that says how, and every page stands in the table of contents."""

from __future__ import annotations

import re

import pytest

from tests.conventions.source_tree import ROOMS, ROOT

DOCS = ROOT / "docs"
# What others stand on, and what has a page by another name: the command line is in all of them.
WITHOUT_A_PAGE = {"core", "contracts", "engine", "cli"}
# Pages on what a room answers besides the question that it is named for.
MORE_QUESTIONS = {"attribution": ["funnel", "wins"], "response": ["uplift"]}
BUILT = {folder.parent.name for folder in (ROOT / "o2o_mining").glob("*/__init__.py")} & ROOMS
ANSWERING = sorted(BUILT - WITHOUT_A_PAGE - {"portal"})
PAGES = sorted(ANSWERING + [page for pages in MORE_QUESTIONS.values() for page in pages])

each = pytest.mark.parametrize("page", PAGES)


def text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


@each
def test_the_page_of_a_room_begins_with_its_question(page: str) -> None:
    assert "?" in text(page)[:600]


@each
def test_the_page_of_a_room_names_assumptions_how_to_read_the_table_and_how_it_fails(page: str) -> None:
    for what in (r"[Aa]ssumption", r"[Hh]ow to read", r"[Hh]ow it fails"):
        assert re.search(rf"^(?:#+ .*{what}|.*\*\*{what})", text(page), re.MULTILINE), what


@each
def test_the_page_of_a_room_names_where_its_method_comes_from(page: str) -> None:
    assert re.search(r"\b(?:19|20)\d\d\b", text(page)) or "decisions/00" in text(page)


def test_every_page_stands_in_the_table_of_contents() -> None:
    contents = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert sorted(page for page in pages if f"<{page}>" not in contents) == []


def test_everybody_finds_the_guides_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index", "contributing"}
    assert sorted(page for page in pages if f"docs/{page}.md" not in readme) == []
