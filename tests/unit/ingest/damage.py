"""Damages the rows of a feed in every way that files get damaged, and remembers which rows are still whole."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from tests.unit.ingest.feeds_page import FEEDS, faults, good_row

ROWS = 24
HUGE = 1_200_000

Row = dict[str, str]


def whole_row(feed: str, number: int) -> Row:
    """Return a row that breaks no rule, with letters that are not the same bytes in every encoding."""
    row = good_row(feed, number)
    free = [c.name for c in FEEDS[feed] if c.type == "text" and not c.allowed and c.name != "channel"]
    return row | dict.fromkeys(free, f"café 麵館 {number}")


@dataclass
class Draft:
    """The lines of a file while they are damaged, and the reason that a row with one wrong value must get."""

    feed: str
    names: list[str]
    lines: list[bytes]
    rng: random.Random
    reasons: dict[tuple[str, ...], str] = field(default_factory=dict)

    def values(self, at: int) -> list[bytes]:
        return self.lines[at].split(b",")


def csv_bytes(
    feed: str, of_lines: Sequence[str], of_files: Sequence[str], seed: int
) -> tuple[bytes, dict[tuple[str, ...], str]]:
    """Return a damaged CSV file, and rows with one wrong value that may stand in it, with the reason they must get."""
    rng = random.Random(seed)  # noqa: S311 - damage, no secret
    rows = [whole_row(feed, number) for number in range(ROWS)]
    lines = [",".join(row.values()).encode() for row in rows]
    draft = Draft(feed, [column.name for column in FEEDS[feed]], lines, rng)
    for kind in of_lines:
        OF_LINES[kind](draft, rng.randrange(len(draft.lines)))
    data = b"\n".join([",".join(draft.names).encode(), *draft.lines, b""])
    for kind in of_files:
        data = OF_FILES[kind](data, rng)
    return data, draft.reasons


# -- lines ---------------------------------------------------------------------------------------------------------


def _cut(draft: Draft, at: int) -> None:
    draft.lines[at] = draft.lines[at][: draft.rng.randrange(len(draft.lines[at]) + 1)]


def _insert(*pieces: bytes) -> Callable[[Draft, int], None]:
    def insert(draft: Draft, at: int) -> None:
        line = draft.lines[at]
        place = draft.rng.randrange(len(line) + 1)
        draft.lines[at] = line[:place] + draft.rng.choice(pieces) + line[place:]

    return insert


def _null(draft: Draft, at: int) -> None:
    values = draft.values(at)
    values[draft.rng.randrange(len(values))] = b""
    draft.lines[at] = b",".join(values)


def _swap_values(draft: Draft, at: int) -> None:
    values = draft.values(at)
    one, two = draft.rng.randrange(len(values)), draft.rng.randrange(len(values))
    values[one], values[two] = values[two], values[one]
    draft.lines[at] = b",".join(values)


def _extra_field(draft: Draft, at: int) -> None:
    draft.lines[at] += draft.rng.choice([b",", b",1", b',"x"'])


def _missing_field(draft: Draft, at: int) -> None:
    values = draft.values(at)
    del values[draft.rng.randrange(len(values))]
    draft.lines[at] = b",".join(values)


def _quoted(draft: Draft, at: int) -> None:
    values = draft.values(at)
    place = draft.rng.randrange(len(values))
    values[place] = b'"' + values[place] + b'"'
    draft.lines[at] = b",".join(values)


def _huge(draft: Draft, at: int) -> None:
    values = draft.values(at)
    place = draft.rng.randrange(len(values))
    values[place] = draft.rng.choice([b"x", b"9", b"\xc3\xa9", b" "]) * HUGE
    if draft.rng.random() < 0.5:
        values[place] = b'"' + values[place] + b'"'
    draft.lines[at] = b",".join(values)


def _garbage(draft: Draft, at: int) -> None:
    draft.lines[at] = draft.rng.randbytes(draft.rng.randrange(1, 200))


def _fault(draft: Draft, at: int) -> None:
    fault = draft.rng.choice(list(faults(draft.feed)))
    number = ROWS + len(draft.reasons)
    row = whole_row(draft.feed, number) | fault.values
    draft.reasons[tuple(row.values())] = fault.reason
    draft.lines.insert(at, ",".join(row.values()).encode())


def _repeat(draft: Draft, at: int) -> None:
    draft.lines.insert(draft.rng.randrange(len(draft.lines) + 1), draft.lines[at])


def _header_again(draft: Draft, at: int) -> None:
    draft.lines.insert(at, ",".join(draft.names).encode())


def _swap_columns(draft: Draft, _: int) -> None:
    """Let all whole rows have their columns in another order, as the header says."""
    order = draft.rng.sample(range(len(draft.names)), len(draft.names))
    split = [line.split(b",") for line in draft.lines]
    if all(len(values) == len(order) for values in split):
        draft.lines = [b",".join(values[i] for i in order) for values in split]
        draft.names = [draft.names[i] for i in order]


def _rename(draft: Draft, at: int) -> None:
    place = at % len(draft.names)
    draft.names[place] = draft.rng.choice([draft.names[place].upper(), draft.names[0], "", "_ordinal", "_reason", "x"])


OF_LINES: dict[str, Callable[[Draft, int], None]] = {
    "cut": _cut, "quote": _insert(b'"', b'""', b'",', b',"'), "latin-1": _insert("é".encode("latin-1"), b"\xff\xfe"),
    "nul": _insert(b"\0", b"\0\0"), "return": _insert(b"\r", b"\n\r", b"\r\r"), "line feed": _insert(b"\n", b"\r\n"),
    "null": _null, "swapped values": _swap_values, "extra field": _extra_field, "missing field": _missing_field,
    "quoted": _quoted, "huge": _huge, "garbage": _garbage, "fault": _fault, "repeat": _repeat,
    "header again": _header_again, "swapped columns": _swap_columns, "renamed column": _rename,
    "sign": _insert(b"\xef\xbb\xbf", b"\x1a", b"\x0b", b"\xe2\x80\xa8", b" ", b"\t", b";", b"'", b"\\"),
}  # fmt: skip


# -- files ---------------------------------------------------------------------------------------------------------


def _mixed_ends(data: bytes, rng: random.Random) -> bytes:
    ends = [b"\n", b"\r\n", b"\r", b"\n\n"]
    return b"".join(line + rng.choices(ends, (8, 8, 1, 1))[0] for line in data.split(b"\n"))


def _garbage_inside(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.randrange(1, 400)) + data[place:]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :] if data else data


OF_FILES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "as it is": lambda data, _: data,
    "bom": lambda data, _: b"\xef\xbb\xbf" + data,
    "crlf": lambda data, _: data.replace(b"\n", b"\r\n"),
    "cr": lambda data, _: data.replace(b"\n", b"\r"),
    "mixed ends": _mixed_ends,
    "no last end": lambda data, _: data.removesuffix(b"\n"),
    "cut": lambda data, rng: data[: rng.randrange(len(data) + 1)],
    "garbage inside": _garbage_inside,
    "flipped": _flipped,
    "latin-1": lambda data, _: data.decode("utf-8", "replace").encode("latin-1", "replace"),
    "utf-16": lambda data, rng: data.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-be"])),
    "no header": lambda data, _: data.split(b"\n", 1)[1] if b"\n" in data else data,
}  # fmt: skip


def packed(data: bytes, how: str, rng: random.Random) -> bytes:
    """Return a file gzipped, whole or damaged."""
    whole = gzip.compress(data, mtime=0)
    if how == "cut":
        return whole[: rng.randrange(len(whole))]
    if how == "flipped":
        return _flipped(whole, rng)
    return whole + {"whole": b"", "padded": bytes(9), "tail": b"tail", "twice": gzip.compress(b"", mtime=0)}[how]


PACKED = ("whole", "cut", "flipped", "padded", "tail", "twice")


# -- Parquet -------------------------------------------------------------------------------------------------------


def parquet_bytes(feed: str, kinds: Sequence[str], of_file: str, seed: int) -> bytes:
    """Return a Parquet file with some kinds of damage in its columns, and one of the file as a whole."""
    rng = random.Random(seed)  # noqa: S311 - damage, no secret
    rows = [whole_row(feed, number) for number in range(ROWS)]
    table = pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]})
    for kind in kinds:
        table = OF_COLUMNS[kind](table, rng.randrange(table.num_columns), rng) if table.num_columns else table
    written = io.BytesIO()
    pq.write_table(table, written, row_group_size=rng.choice([5, ROWS]), compression=rng.choice(["snappy", "none"]))
    data = written.getvalue()
    if of_file == "cut":
        return data[: rng.randrange(len(data))]
    return OF_FILES[of_file](data, rng)


def _with(table: pa.Table, place: int, values: pa.Array) -> pa.Table:
    return table.set_column(place, table.column_names[place], values)


def _nulls(table: pa.Table, place: int, rng: random.Random) -> pa.Table:
    values = [None if rng.random() < 0.2 else value for value in table[place].to_pylist()]
    return _with(table, place, pa.array(values, table[place].type))


def _of_another_type(table: pa.Table, place: int, rng: random.Random) -> pa.Table:
    """Write what can be written so in another type, and null for the rest."""
    kind = rng.choice(_TYPES)
    values = []
    for value in table[place].to_pylist():
        try:
            values.append(pa.scalar(value, pa.string()).cast(kind).as_py())
        except (pa.ArrowException, TypeError, ValueError):
            values.append(None)
    return _with(table, place, pa.array(values, kind))


_TYPES = (
    pa.int8(), pa.uint64(), pa.float32(), pa.float64(), pa.decimal128(38, 10), pa.bool_(), pa.timestamp("ns"),
    pa.timestamp("ms", "Asia/Taipei"), pa.date32(), pa.date64(), pa.large_string(), pa.null(), pa.time64("us"),
)  # fmt: skip
_STRANGE: tuple[tuple[object, pa.DataType], ...] = (
    ([1], pa.list_(pa.int8())), ({"a": "b"}, pa.struct({"a": pa.string()})), (b"\xff\0", pa.binary()),
    (b"text", pa.binary()), ([("a", 1)], pa.map_(pa.string(), pa.int8())), (float("nan"), pa.float64()),
    (float("-inf"), pa.float32()), (2**64 - 1, pa.uint64()), (-(2**40), pa.timestamp("s")), ("\0", pa.string()),
    (2**62, pa.timestamp("ns")), ("x" * HUGE, pa.string()), (1, pa.duration("ns")),
    (b"0123456789abcdef", pa.binary(16)),
)  # fmt: skip


def _strange(table: pa.Table, place: int, rng: random.Random) -> pa.Table:
    value, kind = rng.choice(_STRANGE)
    values = [value if rng.random() < 0.2 else None for _ in range(table.num_rows)]
    return _with(table, place, pa.array(values, kind))


def _coded(table: pa.Table, place: int, _: random.Random) -> pa.Table:
    column = table[place].combine_chunks()
    return _with(table, place, column.dictionary_encode() if pa.types.is_string(column.type) else column)


def _moved(table: pa.Table, _: int, rng: random.Random) -> pa.Table:
    return table.select(rng.sample(table.column_names, table.num_columns))


def _renamed(table: pa.Table, place: int, rng: random.Random) -> pa.Table:
    names = list(table.column_names)
    new = rng.choice([names[place].upper(), "", "_ordinal", "file_row_number", "filename", '"', "année"])
    names[place] = new if new not in names else names[place]
    return table.rename_columns(names)


OF_COLUMNS: dict[str, Callable[[pa.Table, int, random.Random], pa.Table]] = {
    "nulls": _nulls, "another type": _of_another_type, "strange": _strange, "coded": _coded, "moved": _moved,
    "renamed": _renamed, "gone": lambda table, place, _: table.remove_column(place),
    "more": lambda table, place, _: table.append_column(f"more {table.num_columns}", table[place]),
    "repeated rows": lambda table, _, rng: pa.concat_tables([table, table.slice(rng.randrange(ROWS))]),
}  # fmt: skip
