"""The alphabet of tracking codes: 32 symbols without look-alikes, and the symbol that catches slips.

The symbols are Crockford's base 32: digits and letters without I, L, O and U. Read as numbers of the field GF(32), the
symbols of a code, each times a power of its own of the generator, add up to nothing. Hence the last symbol finds every
single wrong symbol (no weight is 0) and every two symbols swapped, neighbours or not (no two weights are equal).
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# What a code has: whose key, until when it is good, which send, the signature, the check symbol.
MARK, DAY, SERIAL, SIGNATURE, CHECK = 2, 3, 9, 5, 1
LENGTH = MARK + DAY + SERIAL + SIGNATURE + CHECK
_GROUP = 5

_BITS = 5
_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1, whose root generates all 31 numbers but 0
_LETTERS = np.frombuffer(ALPHABET.encode(), np.uint8)
_LOOK_ALIKES = str.maketrans("OIL", "011")


def _products() -> npt.NDArray[np.uint8]:
    """Return the table ``[place, symbol]``: the symbol times the weight of its place; the last place weighs 1."""
    rows = [list(range(len(ALPHABET)))]
    for _ in range(LENGTH - 1):
        doubled = [value << 1 for value in rows[-1]]
        rows.append([value ^ _POLYNOMIAL if value >> _BITS else value for value in doubled])
    return np.array(rows[::-1], np.uint8)


_PRODUCTS = _products()


def weighted_sum(symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the sum of a code's weighted symbols in GF(32): 0 for a code without slips.

    Parameters
    ----------
    symbols
        Shape (n, m), m at most 20, each below 32: one code a row, or its first symbols.

    Returns
    -------
    ndarray
        Shape (n,). Of the first 19 symbols it is the check symbol.

    Examples
    --------
    >>> weighted_sum(np.zeros((1, 20), np.uint8))
    array([0], dtype=uint8)
    """
    places = np.arange(symbols.shape[1])
    total: npt.NDArray[np.uint8] = np.bitwise_xor.reduce(_PRODUCTS[places, symbols], axis=1)
    return total


def number_symbols(numbers: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.uint8]:
    """Return numbers as ``count`` symbols each, the greatest first: shape (n, count).

    Examples
    --------
    >>> number_symbols(np.array([33], np.uint64), 3)
    array([[0, 1, 1]], dtype=uint8)
    """
    shifts = np.arange(_BITS * (count - 1), -1, -_BITS, dtype=np.uint64)
    return ((numbers[:, None] >> shifts) & np.uint64(31)).astype(np.uint8)


def symbols_number(symbols: Sequence[int]) -> int:
    """Return the number that symbols say.

    Examples
    --------
    >>> symbols_number([0, 1, 1])
    33
    """
    number = 0
    for symbol in symbols:
        number = number << _BITS | symbol
    return number


def written(symbols: npt.NDArray[np.uint8]) -> list[bytes]:
    """Return each row of symbols as text.

    Examples
    --------
    >>> written(np.array([[0, 31]], np.uint8))
    [b'0Z']
    """
    letters = np.ascontiguousarray(_LETTERS[symbols])
    texts: list[bytes] = letters.view(f"S{symbols.shape[1]}").ravel().tolist()
    return texts


def spelled(text: str) -> str:
    """Return what a person or a scanner gave as codes are kept: capitals, no spaces and hyphens, no look-alikes.

    Full-width letters, as Chinese keyboards give them, count as their plain ones, and characters that nobody sees as
    none.

    Examples
    --------
    >>> spelled(" o1l-ab c")
    '011ABC'
    """
    plain = unicodedata.normalize("NFKC", text).upper()
    kept = (char for char in plain if not char.isspace() and unicodedata.category(char) not in {"Pd", "Cf"})
    return "".join(kept).translate(_LOOK_ALIKES)


def grouped(code: str) -> str:
    """Return a code as people read it.

    Examples
    --------
    >>> grouped("7K3QMX4T9ZB2HW0C1N8P")
    '7K3QM-X4T9Z-B2HW0-C1N8P'
    """
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))
