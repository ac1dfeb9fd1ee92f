"""Why a customer gets an offer, as codes with values and in words."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import yaml

from o2o_mining.core.languages import said

if TYPE_CHECKING:
    import pandas as pd


def reason_text(code: str, language: str = "en") -> str:
    """Return what a reason says in a language.

    Parameters
    ----------
    code
        One of ``reason_codes``: a word and its values, parted by colons.
    language
        ``en``, ``zh-Hant`` or ``zh-Hans``.

    Returns
    -------
    str
        A few words.

    Raises
    ------
    UsageError
        If there is no such reason or language.

    Examples
    --------
    >>> reason_text("uplift:3.1:1.9:4.3")
    '3.1 points more likely to come with the coupon (1.9 to 4.3)'
    >>> reason_text("distance:850", "zh-Hant")
    '距住家 850 公尺'
    """
    return said(_declared(), code, language)


def reason_codes(offers: pd.DataFrame) -> list[list[str]]:
    """Return for each offer what speaks for it: the uplift or the pilot, the distance, the customer's stage.

    Parameters
    ----------
    offers
        ``uplift, uplift_low, uplift_high, redemption_probability, distance_m``; ``lifecycle_stage, recency_days,
        lapsing_after_days`` where they are known.
    """
    columns = ["uplift", "uplift_low", "uplift_high", "redemption_probability", "distance_m", "recency_days"]
    numbers = {name: offers[name].to_numpy(np.float64, na_value=np.nan) for name in [*columns, "lapsing_after_days"]}
    stages = offers["lifecycle_stage"].fillna("").tolist()
    return [_codes({name: values[row] for name, values in numbers.items()}, stage) for row, stage in enumerate(stages)]


def _codes(of: dict[str, float], stage: str) -> list[str]:
    moved = [100 * of[name] for name in ("uplift", "uplift_low", "uplift_high")]
    if np.isnan(moved[0]):
        codes = [f"pilot:{100 * of['redemption_probability']:.1f}"]
    else:
        codes = ["uplift:" + ":".join(f"{points:.1f}" for points in moved)]
    if not np.isnan(of["distance_m"]):
        codes.append(f"distance:{of['distance_m']:.0f}")
    silent = of["recency_days"] - (of["lapsing_after_days"] if stage == "lapsing" else 0)
    if stage in ("cooling", "lapsing", "lost") and not np.isnan(silent):
        codes.append(f"{stage}:{max(silent, 0) / 7:.0f}")
    if stage in ("new", "won_back"):
        codes.append(stage)
    return codes


@cache
def _declared() -> dict[str, dict[str, str]]:
    text = files("o2o_mining.offers").joinpath("reasons.yaml").read_text(encoding="utf-8")
    declared: dict[str, dict[str, str]] = yaml.safe_load(text)
    return declared
