"""Finds in a page what a reader would."""

from __future__ import annotations

import html
import json
from typing import Any


def cells(text: str, begins: str) -> list[str]:
    """Return the cells of the first row whose name is this."""
    row = next(row.partition("</tr>")[0] for row in text.split("<tr>")[1:] if f">{begins}<" in row)
    return [_plain(part) for part in row.replace("<th", "<td").split("<td")[1:]]


def figures(text: str) -> list[dict[str, Any]]:
    """Return the figures of a page."""
    return [json.loads(part.partition("</script>")[0]) for part in text.split('"application/json">')[1:]]


def _plain(cell: str) -> str:
    inside = cell.partition(">")[2]
    inside = inside.partition(">")[2].partition("</a")[0] if inside.startswith("<a ") else inside.partition("</t")[0]
    return html.unescape(inside).strip()
