"""QR pictures: files that viewers open, with the same bytes every time."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.tracking import save_qr

CODE = "MC296ZZFEKQWZD5Y0TPQ"


def test_a_code_is_a_small_square_with_a_quiet_zone(tmp_path: Path) -> None:
    content = save_qr(CODE, tmp_path / "code.png", scale=2).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    # the smallest there is: 21 modules, and a quiet zone of 4 on each side, as ISO/IEC 18004 wants it
    assert struct.unpack(">II", content[16:24]) == (58, 58)


def test_a_drawing_for_print_is_well_formed(tmp_path: Path) -> None:
    root = ET.fromstring(save_qr(CODE, tmp_path / "code.svg").read_bytes())  # noqa: S314 - our own file
    assert root.tag.endswith("svg")
    assert root.get("width") == str(29 * 8)


@pytest.mark.parametrize("name", ["code.svg", "code.png"])
def test_the_same_text_gives_the_same_bytes_and_another_text_others(tmp_path: Path, name: str) -> None:
    first, second, other = tmp_path / "1", tmp_path / "2", tmp_path / "3"
    for folder, text in ((first, CODE), (second, CODE), (other, CODE[::-1])):
        folder.mkdir()
        save_qr(text, folder / name)
    assert (first / name).read_bytes() == (second / name).read_bytes() != (other / name).read_bytes()


def test_a_long_link_with_any_letters_fits(tmp_path: Path) -> None:
    assert save_qr("https://shop.example/麵館?" + "a" * 2_000, tmp_path / "link.svg").stat().st_size > 0


@pytest.mark.parametrize(("text", "name"), [(CODE, "code.pdf"), ("", "code.svg"), ("a" * 4_000, "code.svg")])
def test_what_cannot_be_drawn_is_refused_and_leaves_nothing(tmp_path: Path, text: str, name: str) -> None:
    with pytest.raises(UsageError):
        save_qr(text, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
