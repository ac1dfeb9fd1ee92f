"""Takes one CSV record apart: where it ends, its fields as written, and how the database must see it."""

from __future__ import annotations

import re

LINES_OF_A_RECORD = 100
RECORD_BYTES = 16 * 2**20  # the database refuses longer ones

_FIELD = re.compile(rb'("[^"]*+(?:""[^"]*+)*+"|[^",\n][^,\n]*+|)(,|\r?\n|\r?\Z)')


def read_record(window: bytes, at: int, end: int, *, final: bool) -> tuple[list[bytes], int] | None:
    r"""Return the fields, as written, of the record that begins a line, and where it ends.

    Parameters
    ----------
    window
        Bytes of the file.
    at, end
        Where the line begins and ends, its line break included.
    final
        Whether the file ends with the window.

    Returns
    -------
    tuple or None
        No fields if quotes do not close as they should within the lines of a record; nothing if
        the answer needs more bytes.

    Examples
    --------
    >>> read_record(b'1,"a\nb"\n2,c\n', 0, 5, final=True)
    ([b'1', b'"a\nb"'], 8)
    """
    if b'"' not in window[at:end]:
        return without_end(window[at:end]).split(b","), end
    fields, stop = _split(window, at, end)
    if fields:
        return fields, stop
    limit = _nth_line_end(window, at, LINES_OF_A_RECORD)
    fields, stop = _split(window, at, limit or len(window))
    if limit or final or len(window) - at > RECORD_BYTES:
        return fields, stop
    # Beyond the window a quote may turn out to be doubled, or be closed.
    return (fields, stop) if fields and window.endswith(b"\n", at, stop) else None


def without_end(line: bytes) -> bytes:
    """Return a line without its line break."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def is_blank(line: bytes) -> bool:
    """Whether a line holds nothing: it is no record then."""
    return not line.strip(b"\r\n")


def is_text(raw: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def is_regular(fields: list[bytes]) -> bool:
    """Whether the database reads fields as they are written: no stray quote, no lone carriage return."""
    return not any((b'"' in field or b"\r" in field) and not field.startswith(b'"') for field in fields)


def plain(field: bytes) -> str:
    """Return what a field says."""
    text = field.decode("utf-8", errors="replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def rewritten(raw: bytes) -> bytes:
    r"""Return well-formed records with every field quoted.

    Examples
    --------
    >>> rewritten(b'1,5" nail\r\n')
    b'"1","5"" nail"\n'
    """
    lines, at = [], 0
    while at < len(raw):
        fields, at = _split(raw, at, len(raw))
        lines.append(b",".join(f if f.startswith(b'"') else b'"' + f.replace(b'"', b'""') + b'"' for f in fields))
    return b"\n".join([*lines, b""])


def _nth_line_end(window: bytes, at: int, n: int) -> int | None:
    """Return where the n-th line from ``at`` ends, or nothing if the window holds fewer."""
    for _ in range(n):
        at = window.find(b"\n", at) + 1
        if not at:
            return None
    return at


def _split(window: bytes, at: int, limit: int) -> tuple[list[bytes], int]:
    """Return a record's fields as written and where it ends; no fields if its quotes do not close."""
    fields: list[bytes] = []
    while match := _FIELD.match(window, at, limit):
        fields.append(match[1])
        at = match.end()
        if match[2] != b",":
            if not fields[-1].startswith(b'"'):
                fields[-1] = fields[-1].removesuffix(b"\r")
            return fields, at
    return [], at
