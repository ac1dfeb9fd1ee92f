"""The named segments: every pair of scores in exactly one, every name in every language."""

from __future__ import annotations

import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.segmentation import segment_advice, segment_codes, segment_name
from o2o_mining.segmentation.names import segments_of_scores


@pytest.mark.parametrize("bins", [*range(2, 13), 20, 25, 50, 100])
def test_every_pair_of_scores_falls_in_exactly_one_segment(bins: int) -> None:
    found = segments_of_scores(bins)
    assert len(found) == bins**2
    assert {pair: codes for pair, codes in found.items() if len(codes) != 1} == {}


def test_the_map_for_five_scores_is_the_usual_one() -> None:
    short = {
        "champions": "ch", "loyal": "lo", "potential_loyalist": "pl", "new_customers": "ne", "promising": "pr",
        "need_attention": "na", "about_to_sleep": "as", "at_risk": "ri", "cannot_lose_them": "cl",
        "hibernating": "hi", "lost": "ls",
    }  # fmt: skip
    found = segments_of_scores(5)
    drawn = [" ".join(short[found[r, f][0]] for f in range(1, 6)) for r in range(5, 0, -1)]
    assert drawn == [
        "ne pl pl ch ch",
        "pr pl pl lo lo",
        "as as na lo lo",
        "hi hi ri ri cl",
        "ls hi ri ri cl",
    ]


@pytest.mark.parametrize("bins", [2, 3, 4, 5, 10])
def test_the_best_and_the_worst_scores_keep_their_meaning(bins: int) -> None:
    found = segments_of_scores(bins)
    assert found[bins, bins][0] in {"champions", "loyal"}
    assert found[1, 1][0] in {"lost", "hibernating"}


def test_there_are_eleven_segments() -> None:
    assert len(segment_codes()) == 11
    assert {codes[0] for codes in segments_of_scores(5).values()} == set(segment_codes())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_segment_has_a_name_of_its_own_and_advice(language: str) -> None:
    names = [segment_name(code, language) for code in segment_codes()]
    assert len(set(names)) == 11
    assert all(segment_advice(code, language)[-1] in ".。" for code in segment_codes())
    assert all(name.isascii() == (language == "en") for name in names)


def test_an_unknown_code_or_language_is_refused() -> None:
    with pytest.raises(UsageError, match="no segment 'vip'"):
        segment_name("vip")
    with pytest.raises(UsageError, match=r"no language 'zh'.*zh-Hant"):
        segment_advice("lost", "zh")
