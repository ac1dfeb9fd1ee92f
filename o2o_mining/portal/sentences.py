"""What changed and what to do now, in three sentences made from the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech
from o2o_mining.segmentation import segment_advice, segment_codes

# Less than this is no change worth a sentence.
_NOTICED = 0.01

_GREW = """
    SELECT p.segment_code, p.customers - q.customers AS more, q.as_of AS since
    FROM segment_profiles p JOIN segment_profiles q ON q.scheme = p.scheme AND q.segment_code = p.segment_code
    WHERE p.scheme = 'rfm' AND p.as_of = CAST(? AS DATE) AND q.as_of = CAST(? AS DATE)
    ORDER BY (p.customers - q.customers) / q.customers DESC, p.segment_code LIMIT 1
"""
_PLANNED = """
    SELECT count(*) AS offers, count(DISTINCT campaign_id) AS campaigns, sum(expected_value) AS value
    FROM targeted_offers WHERE as_of = CAST(? AS DATE)
"""
_ACTED = """
    SELECT count(*) AS merchants FROM merchant_actions WHERE as_of = CAST(? AS DATE) AND action_code = 'pause_offers'
"""


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the page that leads on; empty if there is none."""

    text: str
    link: str = ""


def sentences(
    snapshot: Snapshot,
    speech: Speech,
    segment_name: Callable[..., str],
    *,
    last: Mapping[str, Any],
    before: Mapping[str, Any],
    days: int,
) -> list[Sentence]:
    """Return up to three sentences: how money moved, which customers did, and what to do now.

    Parameters
    ----------
    snapshot, speech, segment_name
        What is published, how the reader is spoken to, and what segments are called.
    last, before
        ``net_revenue`` of the last period and of the one before.
    days
        Length of a period.
    """
    found = [
        _money(speech, last["net_revenue"], before["net_revenue"], days),
        _customers(snapshot, speech, segment_name),
        _to_do(snapshot, speech),
    ]
    return [one for one in found if one]


def _money(speech: Speech, last: Any, before: Any, days: int) -> Sentence | None:
    if last is None:
        return None
    said = {"days": speech.number(days), "amount": speech.money(last, 0)}
    if not before or before <= 0:
        return Sentence(speech.t("overview.money_new", **said))
    change = float(last) / float(before) - 1
    if abs(change) < _NOTICED:
        return Sentence(speech.t("overview.money_same", **said))
    key = "overview.money_more" if change > 0 else "overview.money_less"
    return Sentence(speech.t(key, share=speech.share(abs(change)), **said))


def _customers(snapshot: Snapshot, speech: Speech, segment_name: Callable[..., str]) -> Sentence | None:
    days = snapshot.days("segment_profiles")
    grew = snapshot.row(_GREW, days[-1], days[-2]) if len(days) > 1 else None
    if grew is None or grew["more"] <= 0:
        return None
    code = grew["segment_code"]
    text = speech.t(
        "overview.segment_grew",
        name=segment_name(code, speech.language),
        more=speech.number(grew["more"]),
        day=speech.day(grew["since"]),
    )
    advice = segment_advice(code, speech.language) if code in segment_codes() else ""
    return Sentence(f"{text}{speech.t('overview.and')}{advice}" if advice else text, f"/segments/rfm/{code}")


def _to_do(snapshot: Snapshot, speech: Speech) -> Sentence | None:
    """Return the first thing to do: a plan that waits, else merchants whose offers wait."""
    days = snapshot.days("targeted_offers")
    planned = snapshot.row(_PLANNED, days[-1]) if days else None
    if planned and planned["offers"]:
        said = {"offers": speech.number(planned["offers"]), "campaigns": speech.number(planned["campaigns"])}
        value = speech.money(planned["value"], 0)
        return Sentence(speech.t("overview.plan_waits", day=speech.day(days[-1]), value=value, **said), "/offers")
    days = snapshot.days("merchant_actions")
    acted = snapshot.row(_ACTED, days[-1]) if days else None
    if acted and acted["merchants"]:
        return Sentence(speech.t("overview.offers_wait", merchants=speech.number(acted["merchants"])), "/merchants")
    return None
