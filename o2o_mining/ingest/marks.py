"""Where in a stretch of a CSV file lines end, commas and quotes stand, and where its quotes are not as they should."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_LINE_FEED, _RETURN, _QUOTE, _COMMA = 10, 13, 34, 44


@dataclass(frozen=True)
class Run:
    """Records in a row that end as they look.

    Attributes
    ----------
    starts, ends
        Where each begins and ends, its line break included.
    fields
        How many fields each has.
    first, last
        Its lines, counted from 0 at the first record.
    """

    starts: Ints
    ends: Ints
    fields: Ints
    first: Ints
    last: Ints

    def until(self, count: int) -> Run:
        """Return the first records."""
        return Run(*(values[:count] for values in (self.starts, self.ends, self.fields, self.first, self.last)))


class Marks:
    """The marks of one window.

    Parameters
    ----------
    window
        Bytes of the file.
    final
        Whether the file ends with them: the last line needs no line break then.

    Examples
    --------
    >>> run = Marks(b'1,2' + bytes([10]) + b'3,"4' + bytes([10]), final=True).run(0)
    >>> run.ends.tolist(), run.fields.tolist()
    ([4], [2])
    """

    def __init__(self, window: bytes, *, final: bool) -> None:
        self.buffer: Bytes = np.frombuffer(window, np.uint8)
        ends = np.flatnonzero(self.buffer == _LINE_FEED) + 1
        if final and (not len(ends) or ends[-1] != len(window)):
            ends = np.append(ends, len(window))
        self._ends = ends
        self._commas = np.flatnonzero(self.buffer == _COMMA)
        self._quotes = np.flatnonzero(self.buffer == _QUOTE) if b'"' in window else np.zeros(0, np.int64)
        self._lone_returns = self._find_lone_returns() if b"\r" in window else np.zeros(0, np.int64)
        self._wrong = self._find_wrong_quotes()

    def run(self, at: int) -> Run:
        """Return the records from a line's beginning on, up to the first that needs a closer look."""
        limit = self._regular_until(at)
        line, stop = np.searchsorted(self._ends, (at, limit), side="right")
        ends = self._ends[line:stop]
        commas = self._commas[slice(*np.searchsorted(self._commas, (at, limit)))]
        last = np.arange(len(ends))
        quotes = self._quotes[slice(*np.searchsorted(self._quotes, (at, limit)))]
        if len(quotes):
            commas = commas[np.searchsorted(quotes, commas) % 2 == 0]
            outside = np.searchsorted(quotes, ends) % 2 == 0
            ends, last = ends[outside], last[outside]
        starts = np.concatenate([[at], ends[:-1]])[: len(ends)]
        fields = np.diff(np.searchsorted(commas, np.concatenate([[at], ends]))) + 1
        first = np.concatenate([[0], last[:-1] + 1])[: len(ends)]
        return Run(starts, ends, fields, first, last)

    def _regular_until(self, at: int) -> int:
        """Return where the first lone carriage return or wrong quote from a line's beginning on stands."""
        quote = int(np.searchsorted(self._quotes, at))
        wrong = self._wrong[quote % 2]
        candidates = (
            (self._lone_returns, np.searchsorted(self._lone_returns, at)),
            (self._quotes[wrong], np.searchsorted(wrong, quote)),
        )
        return min((int(places[i]) for places, i in candidates if i < len(places)), default=len(self.buffer))

    def _find_lone_returns(self) -> Ints:
        returns: Ints = np.flatnonzero(self.buffer == _RETURN)
        followed = self.buffer[np.minimum(returns + 1, len(self.buffer) - 1)]
        lone: Ints = returns[followed != _LINE_FEED]
        return lone

    def _find_wrong_quotes(self) -> tuple[Ints, Ints]:
        """Return the quotes that neither begin nor end a field as they should, if those of even number open fields.

        And the same if those of odd number do: which ones do, depends on where reading begins.
        """
        quotes, buffer = self._quotes, self.buffer
        if not len(quotes):
            return quotes, quotes
        opens = np.isin(buffer[quotes - 1], (_COMMA, _LINE_FEED, _QUOTE)) | (quotes == 0)
        beyond = quotes == len(buffer) - 1
        closes = np.isin(buffer[(quotes + 1) % len(buffer)], (_COMMA, _LINE_FEED, _RETURN, _QUOTE)) | beyond
        even = np.arange(len(quotes)) % 2 == 0
        return np.flatnonzero(np.where(even, ~opens, ~closes)), np.flatnonzero(np.where(even, ~closes, ~opens))
