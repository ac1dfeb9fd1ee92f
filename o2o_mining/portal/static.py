"""Files that pages link to: kept in memory, named by content, so that browsers may keep them for a year."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

CHARTS = "plotly.min.js"

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class Static:
    """One file: as it is, packed, and what kind it is of."""

    content: bytes
    packed: bytes
    media_type: str


@cache
def static_names() -> dict[str, str]:
    """Return the name with content hash of each file by its own name."""
    return {name: _hashed(name, _content(name)) for name in (*_own(), CHARTS)}


def static_address(name: str) -> str:
    """Return where browsers find a file.

    Raises
    ------
    KeyError
        If there is no such file.
    """
    return f"/static/{static_names()[name]}"


@cache
def static_file(hashed: str) -> Static | None:
    """Return a file by its name with content hash."""
    for name, known in static_names().items():
        if known == hashed:
            content = _content(name)
            return Static(content, gzip.compress(content, 6, mtime=0), _TYPES[name.rsplit(".", 1)[1]])
    return None


@cache
def chart_styles() -> tuple[str, ...]:
    """Return the ids of the style elements that the chart library adds unless the page has elements so called.

    The content policy forbids such styles; what our charts need of them stands in our own sheet.
    """
    found = re.findall(rb'getElementById\("([0-9a-f]{64})"\)', _content(CHARTS))
    return ("plotly.js-style-global", *sorted({one.decode() for one in found}))


def _own() -> list[str]:
    return sorted(file.name for file in files("o2o_mining.portal").joinpath("static").iterdir())


def _content(name: str) -> bytes:
    """Return a file of ours, or the chart library as its package ships it: nothing is fetched from elsewhere."""
    place = (
        files("plotly").joinpath("package_data") if name == CHARTS else files("o2o_mining.portal").joinpath("static")
    )
    return place.joinpath(name).read_bytes()


def _hashed(name: str, content: bytes) -> str:
    stem, ending = name.rsplit(".", 1)
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
