"""The feeds' rule of what a record of a CSV file is, written as slowly as it reads."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Expected:
    """What a file holds by the rule."""

    names: list[str] = field(default_factory=list)
    good: list[tuple[int, list[str]]] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)


def _bare(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _parse(raw: bytes) -> list[bytes] | None:
    """Read one record field by field; nothing if its quotes do not close or text follows one that did."""
    fields, at = [], 0
    while True:
        if raw[at : at + 1] == b'"':
            begin, at = at + 1, raw.find(b'"', at + 1)
            while at >= 0 and raw[at + 1 : at + 2] == b'"':
                at = raw.find(b'"', at + 2)
            if at < 0:
                return None
            value, at = raw[begin:at].replace(b'""', b'"'), at + 1
        else:
            end = raw.find(b",", at)
            value, at = (raw[at:], len(raw)) if end < 0 else (raw[at:end], end)
        fields.append(value)
        if at == len(raw):
            return fields
        if raw[at : at + 1] != b",":
            return None
        at += 1


def _record(physical: list[bytes], first: int, limit: int) -> tuple[list[bytes], int] | None:
    """Take lines until the quotes close; return the fields and the number of lines."""
    for count in range(1, min(limit, len(physical) - first) + 1):
        raw = _bare(b"".join(physical[first : first + count]))
        fields = _parse(raw)
        if fields is not None:
            return fields, count
    return None


def by_the_rule(data: bytes, limit: int = 100) -> Expected:
    found = Expected()
    physical = _lines(data)
    at = 0
    while at < len(physical):
        if not physical[at].strip(b"\r\n"):
            at += 1
            continue
        record = _record(physical, at, limit)
        if not found.names:
            fields, count = record or (_bare(physical[at]).split(b","), 1)
            found.names = [f.decode("utf-8", "replace") for f in fields]
        elif record is None or len(record[0]) != len(found.names):
            count = 1
            found.malformed.append((at + 1, _bare(physical[at]).decode("utf-8", "replace")))
        else:
            fields, count = record
            raw = b"".join(physical[at : at + count])
            try:
                raw.decode()
                found.good.append((at + 1, [f.decode() for f in fields]))
            except UnicodeDecodeError:
                found.malformed.append((at + 1, _bare(raw).decode("utf-8", "replace")))
        at += count
    return found


def _lines(data: bytes) -> list[bytes]:
    parts = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    physical = [part + b"\n" for part in parts[:-1]]
    return [*physical, parts[-1]] if parts[-1] else physical
