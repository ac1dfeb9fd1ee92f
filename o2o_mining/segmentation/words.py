"""What any segment of any scheme is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import yaml

from o2o_mining.segmentation.names import segment_codes, segment_name
from o2o_mining.segmentation.traits import AVERAGE, cluster_name, trait_text

if TYPE_CHECKING:
    from o2o_mining.segmentation.rules import Rule


def namer(rules: Iterable[Rule] = ()) -> Callable[..., str]:
    """Return a function from a code and a language to the name of a segment.

    Parameters
    ----------
    rules
        Segments by rule, with their names.

    Returns
    -------
    callable
        Knows RFM segments, stages, clusters, what sets these apart, and the rules; any other code is its own name.

    Examples
    --------
    >>> name = namer()
    >>> name("champions", "zh-Hant"), name("won_back", "en"), name("evening_share=high", "en")
    ('冠軍顧客', 'Won back', 'Evenings')
    """
    by_rule = {rule.code: rule.names for rule in rules}

    def name(code: str, language: str = "en") -> str:
        if code in segment_codes():
            return segment_name(code, language)
        for known in (by_rule, _stages()):
            if code in known:
                return str(known[code][language])
        if code.count("|") == 3:
            return trait_text(code, language)
        is_cluster = "=" in code or code.partition("#")[0] == AVERAGE
        return cluster_name(code, language) if is_cluster else code

    return name


@cache
def _stages() -> dict[str, dict[str, str]]:
    text = files("o2o_mining.segmentation").joinpath("stages.yaml").read_text(encoding="utf-8")
    stages: dict[str, dict[str, str]] = yaml.safe_load(text)
    return stages
