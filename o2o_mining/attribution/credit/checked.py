"""The table of paths as callers pass it: looked through before any model sees it, and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from o2o_mining.core.errors import UsageError

COUNTS = ("conversions", "nulls")


def checked_paths(paths: pd.DataFrame, needed: Sequence[str], *, model: str) -> pd.DataFrame:
    """Return the columns that a model needs, in one form each.

    Parameters
    ----------
    paths
        As the caller passed it.
    needed
        Names of the columns.
    model
        The model, for the message.

    Returns
    -------
    pandas.DataFrame
        Numbered from 0: ``path`` as text, ``gaps_days`` as lists of floats, all else as floats with 0 for null.

    Raises
    ------
    UsageError
        If it is no table, a column is missing or there twice, a path is no text, a number is none or infinite, or a
        count is below 0.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["map"], "conversions": [2], "value": [None]})
    >>> checked_paths(paths, ["path", "conversions", "value"], model="last")[["conversions", "value"]].values.tolist()
    [[2.0, 0.0]]
    """
    if not isinstance(paths, pd.DataFrame):
        raise UsageError(
            f"paths is a {type(paths).__name__}, not a table", next_step=f"pass a pandas.DataFrame of {_listed(needed)}"
        )
    held = list(paths.columns)
    if missing := [name for name in needed if name not in held]:
        raise UsageError(
            f"paths lacks {_listed(missing)}, which the model '{model}' needs", next_step=f"pass {_listed(needed)}"
        )
    if twice := [name for name in needed if held.count(name) > 1]:
        raise UsageError(f"paths has {_listed(twice)} more than once", next_step="pass each column once")
    columns: dict[str, object] = {}
    for name in needed:
        column = paths[name].astype("object") if paths[name].dtype.kind not in "biuf" else paths[name]
        if name == "path":
            columns[name] = _texts(column)
        elif name == "gaps_days":
            columns[name] = pd.Series([_gaps(row, cell) for row, cell in enumerate(column)], dtype="object")
        else:
            columns[name] = _amounts(column, name)
    return pd.DataFrame(columns)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _texts(column: pd.Series) -> pd.Series:
    wrong = [row for row, cell in enumerate(column) if not isinstance(cell, str)]
    if wrong:
        is_null = bool(column.isna().iloc[wrong[0]])
        raise UsageError(
            f"path in row {wrong[0]} is {'null' if is_null else repr(column.iloc[wrong[0]])}, not text",
            next_step="write channels in order, joined by ' > '; a journey without a touch is 'direct'",
        )
    return column.reset_index(drop=True)


def _amounts(column: pd.Series, name: str) -> npt.NDArray[np.float64]:
    """Return a column as floats, null as 0."""
    nulls = column.isna().to_numpy(dtype=bool)
    if column.dtype == object:
        filled = [0.0 if null else _number(cell) for null, cell in zip(nulls, column, strict=True)]
        amounts = np.array(filled, dtype=np.float64)
    else:
        amounts = np.where(nulls, 0.0, column.to_numpy("float64", na_value=np.nan))
    right = np.isfinite(amounts) & (amounts >= 0 if name in COUNTS else True)
    if not right.all():
        row = int(np.flatnonzero(~right)[0])
        least = " of 0 or more" if name in COUNTS else ""
        raise UsageError(
            f"{name} in row {row} is {column.iloc[[row]].tolist()[0]!r}, not a finite number{least}",
            next_step=f"correct {name}, or leave it null for 0",
        )
    return amounts


def _gaps(row: int, cell: object) -> list[float]:
    """Return the days between each touch of a path and its conversion."""
    gaps = list(cell) if isinstance(cell, (list, tuple, np.ndarray)) else []
    days = [_number(gap) for gap in gaps]
    for gap, number in zip(gaps, days, strict=True):
        if not (np.isfinite(number) and number >= 0):
            raise UsageError(
                f"gaps_days in row {row} has {gap!r}, not a finite number of 0 or more",
                next_step="give each path the list of days from each touch to the conversion, in path order",
            )
    return days


def _number(cell: object) -> float:
    """Return a cell as a number, NaN if it is none."""
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return float("nan")
