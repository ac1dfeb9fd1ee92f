"""Writes the copy of a CSV file that the database reads, where it cannot read the file itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from o2o_mining.ingest.lines import rewritten
from o2o_mining.ingest.records import Records, open_bytes

_BLOCK = 2**20


def write_readable(path: Path, records: Records, target: Path) -> None:
    """Write a copy of a scanned file that holds a header and its well-formed records alone, ending in line feeds."""
    with open_bytes(path) as source, target.open("wb") as out:
        out.write(b",".join(b"f%d" % i for i in range(len(records.fields))) + b"\n")
        at = records.start
        for edit in records.edits:
            source.seek(at)
            _copy(source, out, edit.start - at, unify=records.returns > 0)
            if edit.rewrite:
                source.seek(edit.start)
                out.write(rewritten(source.read(edit.end - edit.start)))
            at = edit.end
        source.seek(at)
        _copy(source, out, None, unify=records.returns > 0)


def _copy(source: IO[bytes], out: IO[bytes], size: int | None, *, unify: bool) -> None:
    """Copy whole records; quotes in them are regular, so their number says what stands inside quotes."""
    inside = 0
    for block in _blocks(source, size):
        if unify:
            buffer = np.frombuffer(block, np.uint8)
            quotes = np.flatnonzero(buffer == 34)
            returns = np.flatnonzero((buffer[:-1] == 13) & (buffer[1:] == 10))
            ends = returns[(np.searchsorted(quotes, returns) + inside) % 2 == 0]
            inside += len(quotes)
            out.write(np.delete(buffer, ends).tobytes())
        else:
            out.write(block)


def _blocks(source: IO[bytes], size: int | None) -> Iterator[bytes]:
    """Yield what comes next, never parting a carriage return from its line feed."""
    while size is None or size > 0:
        block = source.read(_BLOCK if size is None else min(_BLOCK, size))
        if not block:
            return
        if block.endswith(b"\r") and (size is None or size > len(block)):
            block += source.read(1)
        if size is not None:
            size -= len(block)
        yield block
