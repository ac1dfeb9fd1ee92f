"""The portal in a real browser: every page, language and width; what is downloaded; what axe finds."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

from o2o_mining.core.languages import LANGUAGES
from tests.browser.conftest import MANY, PASSWORD, Served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PHONE, DESK = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)
SERIOUS = ("serious", "critical")


def _speak(page: Page, language: str) -> None:
    page.click(f'footer button[name=language][value="{language}"]')
    assert page.locator("html").get_attribute("lang") == language


def _pages(page: Page, served: Served) -> list[str]:
    """Return the pages that the navigation names, and of each the first that it leads to, and theirs."""
    page.goto(served.address)
    found = _links(page, "nav a, .who a")
    for path in list(found):
        page.goto(served.address + path)
        for deeper in _links(page, "main table a")[:1]:
            found.append(deeper)
            page.goto(served.address + deeper)
            found += _links(page, "main a")[:2]
    found += ["/search?q=c00", "/customers/c003"]
    return [path for path in dict.fromkeys(found) if path.startswith("/")]


def _links(page: Page, where: str) -> list[str]:
    links: list[str] = page.locator(where).evaluate_all("all => all.map(one => one.getAttribute('href'))")
    return [link for link in links if link and not link.startswith("#") and "sort=" not in link and "page=" not in link]


def test_a_wrong_password_is_refused_and_the_right_one_leads_on(reader: Page, stocked: Served) -> None:
    page = reader.context.browser.new_context().new_page()  # type: ignore[union-attr]
    page.goto(f"{stocked.address}/segments")
    for password in ("not this one at all", PASSWORD):
        page.fill("#name", "admin")
        page.fill("#password", password)
        page.click("main button")
        refused = page.locator("[role=alert]").count()
        assert refused == (password != PASSWORD)
    assert page.url == f"{stocked.address}/segments"
    page.context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_fits_desk_and_phone_in_every_language_without_an_error(
    reader: Page, stocked: Served, language: str
) -> None:
    errors: list[str] = []
    reader.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    reader.on("pageerror", lambda error: errors.append(str(error)))
    reader.set_viewport_size(DESK)
    reader.goto(stocked.address)
    _speak(reader, language)
    pages = _pages(reader, stocked)
    assert len(pages) > 12
    for path in pages:
        for size in (DESK, PHONE):
            reader.set_viewport_size(size)
            answer = reader.goto(stocked.address + path)
            assert answer
            assert answer.status == 200, path
            wide = reader.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{path} is {wide} pixels wider than a window of {size['width']}"
            assert reader.locator("h1").count() == 1, path
    assert errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(reader: Page, stocked: Served, theme: str) -> None:
    reader.set_viewport_size(DESK)
    reader.goto(stocked.address)
    reader.click(f'footer button[name=theme][value="{theme}"]')
    found = []
    for path in _pages(reader, stocked):
        reader.goto(stocked.address + path)
        faults = Axe().run(reader).response["violations"]
        serious = [fault for fault in faults if fault["impact"] in SERIOUS]
        found += [f"{path}: {fault['id']} at {fault['nodes'][0]['html'][:120]}" for fault in serious]
    assert found == []


def test_charts_are_drawn_without_the_network(reader: Page, stocked: Served) -> None:
    asked: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    reader.goto(f"{stocked.address}/segments")
    reader.wait_for_selector(".js-plotly-plot svg", timeout=10_000)
    assert asked
    assert all(url.startswith((stocked.address, "data:", "blob:")) for url in asked)


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        ("segments/lifecycle/active", "csv"),
        ("segments/lifecycle/active", "xlsx"),
        ("segments/lifecycle/active", "parquet"),
        ("segments/lifecycle/active", "google-customer-match"),
        ("segments/lifecycle/active", "meta-customer-list"),
        ("segments/lifecycle/active", "tiktok"),
        ("offers/x", "csv"),
        ("offers/x", "parquet"),
        ("offers/x", "google-customer-match"),
    ],
)
def test_a_list_has_as_many_rows_as_the_page_before_it_says(
    taker: Page, crowded: Served, tmp_path: Path, of: str, wanted: str
) -> None:
    said, file = _taken(taker, f"{crowded.address}/download/{of}?as={wanted}", tmp_path)
    assert _rows(file, wanted) == said
    assert 0.97 * MANY < said < MANY  # less the global control


def test_the_offers_of_a_campaign_are_a_workbook(reader: Page, stocked: Served, tmp_path: Path) -> None:
    said, file = _taken(reader, f"{stocked.address}/download/offers/g%2F1?as=xlsx", tmp_path)
    assert (_rows(file, "xlsx"), said) == (62, 62)  # c001 refused


@pytest.mark.parametrize(
    ("of", "wanted", "rows"), [("scorecard", "csv", 1), ("gaps", "xlsx", 2), ("catchments", "parquet", 1)]
)
def test_what_is_of_a_merchant_is_a_file(
    reader: Page, stocked: Served, tmp_path: Path, of: str, wanted: str, rows: int
) -> None:
    reader.goto(f"{stocked.address}/merchants/m1")
    reader.select_option("#of", of)
    reader.select_option("#as", wanted)
    assert _rows(_saved(reader, 'form[action^="/download/"] button', tmp_path), wanted) == rows


def _taken(page: Page, address: str, folder: Path) -> tuple[int, Path]:
    """Return how many rows the page before a download names, and what is downloaded."""
    page.goto(address)
    said = int(page.locator(".facts dd").first.inner_text().split()[0].replace(",", ""))
    return said, _saved(page, "main form[method=post] button", folder)


def _saved(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download(timeout=120_000) as started:
        page.click(button)
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    return file


def _rows(file: Path, wanted: str) -> int:
    if wanted == "parquet":
        return int(pq.ParquetFile(file).metadata.num_rows)
    if wanted == "xlsx":
        with closing(openpyxl.load_workbook(file, read_only=True)) as book:
            return sum(1 for _ in book.active.iter_rows()) - 1
    return sum(1 for _ in csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig")))) - 1
