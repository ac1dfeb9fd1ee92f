"""The models by name, and how the touch-level ones share out the credit of one conversion among its touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from o2o_mining.contracts.events import TOUCH_MODELS
from o2o_mining.core.errors import UsageError

DIRECT = "direct"
"""The channel of a purchase without a touch, and of touches that name no other."""

HALF_LIFE_DAYS = 7.0
PATH_MODELS = ("markov", "shapley")
"""The models that credit channels, from all paths together."""

ALL_MODELS = (*TOUCH_MODELS, *PATH_MODELS)


@dataclass(frozen=True)
class Ends:
    """Whole-number weights of a model that looks at the ends of a path.

    Attributes
    ----------
    pair
        Weights of the first and the last of two touches.
    ends
        Weights of the first and the last of three or more, and of all between together.
    """

    pair: tuple[int, int]
    ends: tuple[int, int, int]


ENDS = {
    "first": Ends(pair=(1, 0), ends=(1, 0, 0)),
    "last": Ends(pair=(0, 1), ends=(0, 1, 0)),
    "position": Ends(pair=(1, 1), ends=(2, 2, 1)),
    "j_shaped": Ends(pair=(1, 3), ends=(1, 3, 1)),
}


def check_model(model: str, among: Sequence[str] = ALL_MODELS) -> None:
    """Refuse what is no model.

    Parameters
    ----------
    model
        The name.
    among
        The models that there are.

    Raises
    ------
    UsageError
        If it is not among them.

    Examples
    --------
    >>> check_model("linear")
    """
    if model not in among:
        raise UsageError(f"there is no model '{model}'", next_step=f"use one of {', '.join(among)}")


def check_half_life(half_life_days: object) -> None:
    """Refuse a half-life that halves nothing.

    Raises
    ------
    UsageError
        If it is no number above 0.

    Examples
    --------
    >>> check_half_life(7.0)
    """
    if not (isinstance(half_life_days, Real) and float(half_life_days) > 0):
        raise UsageError(
            f"half_life_days = {half_life_days!r} is not a number above 0",
            next_step=f"leave it out for {HALF_LIFE_DAYS:g}",
        )
