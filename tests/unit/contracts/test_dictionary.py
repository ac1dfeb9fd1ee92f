"""The data dictionary in the docs says what the contracts say."""

from __future__ import annotations

from pathlib import Path

from o2o_mining.contracts.catalogue import TABLES, tables
from o2o_mining.contracts.dictionary import DICTIONARY, described, dictionary
from o2o_mining.contracts.schema import Column, Kind, Table

ROOT = Path(__file__).resolve().parents[3]


def test_the_data_dictionary_is_up_to_date() -> None:
    written = (ROOT / DICTIONARY).read_text(encoding="utf-8")
    assert written == dictionary(), (
        f"{DICTIONARY} is out of date; write it anew with: python -m o2o_mining.contracts.dictionary"
    )


def test_every_published_table_and_column_is_described() -> None:
    text = dictionary()
    for table in tables(Kind.FEED, Kind.EVENTS, Kind.MINED):
        part = text.split(f"\n### {table.name}\n")[1].split("\n### ")[0]
        for column in table.columns:
            assert f"| `{column.name}` |" in part, table.name
            assert column.doc in part, table.name


def test_every_line_of_a_table_has_the_same_number_of_cells() -> None:
    for table in TABLES.values():
        lines = [line for line in described(table).splitlines() if line.startswith("|")]
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1, table.name


def test_a_column_says_all_that_its_contract_says() -> None:
    columns = (
        Column("id", "id", "Who.", key=True, references="customers"),
        Column("cut_share", "double", "A | B.", nullable=True, low=0, high=1, open_ends=True, available_at="made_at"),
        Column("phone", "text", "Phone.", personal=True, withheld=True, forbidden=">"),
    )
    lines = described(Table("t", "marts", Kind.MINED, "One thing.", columns)).splitlines()
    assert lines[0] == "### t"
    assert lines[2] == "One thing. Room `marts`; key `id`."
    assert lines[4] == "| Column | Type | Key | Null | Unit | Values | Personal | Known from | Meaning |"
    assert lines[6] == "| `id` | id | key | | | | | | Who. Refers to `customers`. |"
    assert lines[7] == ("| `cut_share` | double | | may be null | share, 0..1 | 0 < value < 1 | | made_at | A \\| B. |")
    assert lines[8] == (
        "| `phone` | text | | | | without `>` | personal | | Phone. Published only in `customer_contacts`. |"
    )
