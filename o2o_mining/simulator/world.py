"""A world by its parameters: how many customers, how long, which scenario, which seed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from o2o_mining.core.errors import UsageError

START = date(2024, 1, 1)
MOST_CUSTOMERS, MOST_DAYS = 5_000_000, 3_650
AFTERMATH_DAYS = 90  # lived on after the log, so that what becomes of everybody is known


@dataclass(frozen=True)
class Parameters:
    """The numbers of a scenario; ``scenarios.yaml`` says each in words."""

    visits_per_month: float
    rate_shape: float
    mean_life_days: float
    one_time_share: float
    response_after_leaving: float
    joined_before_share: float
    referred_share: float
    yearly_trend: float
    bad_merchant_share: float
    turning_merchant_share: float
    gap_min: float
    bad_visit_effect: float
    friend_effect_share: float
    receipts_per_month: float
    randomised_share: float
    targeting_bias: float
    effect: float
    type_sharpness: float
    only_type: str
    affinity: float
    double_redemption_share: float
    fraud_share: float


@cache
def _scenarios() -> dict[str, dict[str, Any]]:
    text = Path(__file__).with_name("scenarios.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return found


def scenario_names() -> tuple[str, ...]:
    """Return the names of the scenarios, in the order of their file.

    Returns
    -------
    tuple of str
        The first is what the others change.

    Examples
    --------
    >>> scenario_names()[0]
    'balanced'
    """
    return tuple(_scenarios())


@dataclass(frozen=True)
class World:
    """A simulated world: the same arguments give the same world, byte for byte.

    Parameters
    ----------
    customers
        How many people ever join, 20 to five million.
    days
        How many days the log covers, 60 to 3,650; it begins on 2024-01-01.
    scenario
        A name from ``scenarios.yaml``.
    seed
        Any whole number that is not negative.

    Raises
    ------
    UsageError
        If an argument is out of range or no scenario has that name.

    Examples
    --------
    >>> World(customers=100, days=90).parameters.effect
    1.0
    >>> World(scenario="no-effect").parameters.effect
    0.0
    """

    customers: int = 2000
    days: int = 540
    scenario: str = "balanced"
    seed: int = 7

    def __post_init__(self) -> None:
        if not (20 <= self.customers <= MOST_CUSTOMERS and 60 <= self.days <= MOST_DAYS) or self.seed < 0:
            raise UsageError(
                f"no world of {self.customers} customers, {self.days} days and seed {self.seed}",
                next_step=f"take 20 customers to {MOST_CUSTOMERS:,}, 60 days to {MOST_DAYS:,}, a seed of 0 or more",
            )
        if self.scenario not in _scenarios():
            known = ", ".join(scenario_names())
            raise UsageError(f"there is no scenario '{self.scenario}'", next_step=f"use one of {known}")

    @property
    def parameters(self) -> Parameters:
        """The scenario's numbers."""
        numbers = _scenarios()["balanced"] | _scenarios()[self.scenario]
        return Parameters(**{field.name: numbers[field.name] for field in fields(Parameters)})

    @property
    def lived_days(self) -> int:
        """How many days the world lives: those of the log, and those in which its forecasts come true."""
        return self.days + AFTERMATH_DAYS

    @property
    def end(self) -> date:
        """The first day after the log."""
        return START + timedelta(days=self.days)
