"""What changed and what to do now, in three sentences made from the data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote

from o2o_mining.portal.segments import everybody
from o2o_mining.portal.snapshot import Snapshot
from o2o_mining.portal.speech import Speech
from o2o_mining.segmentation import segment_advice, segment_codes

SENTENCES = 3
# Less than this is no change worth a sentence.
_NOTICED = 0.01

_GREW = """
    SELECT p.segment_code, p.customers - q.customers AS more, q.as_of AS since
    FROM segment_profiles p JOIN segment_profiles q ON q.scheme = p.scheme AND q.segment_code = p.segment_code
    WHERE p.scheme = 'rfm' AND p.as_of = CAST(? AS DATE) AND q.as_of = CAST(? AS DATE) AND p.customers > q.customers
    ORDER BY (p.customers - q.customers) / q.customers DESC, p.segment_code LIMIT 1
"""
_STRONGEST = """
    SELECT segment_code, share, revenue_share FROM segment_profiles
    WHERE scheme = 'rfm' AND as_of = CAST(? AS DATE) AND revenue_share > 0
    ORDER BY revenue_share DESC, segment_code LIMIT 1
"""
_PLANNED = """
    SELECT campaign_id, count(*) AS offers, sum(expected_value) AS value
    FROM targeted_offers WHERE as_of = CAST(? AS DATE) GROUP BY campaign_id
"""
_WAITING = """
    SELECT count(*) AS merchants FROM merchant_actions WHERE as_of = CAST(? AS DATE) AND action_code = 'pause_offers'
"""
_WORSE = """
    SELECT count(*) AS merchants, max(found_on) AS latest FROM merchant_scorecards
    WHERE as_of = CAST(? AS DATE) AND found_on IS NOT NULL
"""
# Campaigns of which it is beyond doubt that they lost or earned money; the one with the most at stake.
_JUDGED = """
    SELECT w.id, coalesce(c.name, w.id) AS name, w.merchant_margin AS margin
    FROM three_wins w LEFT JOIN campaigns c ON c.campaign_id = w.id
    WHERE w.as_of = CAST(? AS DATE) AND w.level = 'campaign'
      AND CASE WHEN CAST(? AS BOOLEAN) THEN w.merchant_margin_high < 0 ELSE w.merchant_margin_low > 0 END
    ORDER BY abs(w.merchant_margin) DESC, w.id LIMIT 1
"""


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the page that leads on; empty if there is none."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class Situation:
    """What sentences are made from.

    Attributes
    ----------
    snapshot, speech, segment_name
        What is published, how the reader is spoken to, and what segments are called.
    last, before
        ``net_revenue`` of the last period and of the one before.
    days
        Length of a period.
    approved
        Campaigns whose latest plan is approved.
    """

    snapshot: Snapshot
    speech: Speech
    segment_name: Callable[..., str]
    last: Mapping[str, Any]
    before: Mapping[str, Any]
    days: int
    approved: Collection[str] = ()


# From what is known to a sentence, if the data allow it.
_Candidate = Callable[[Situation], Sentence | None]


def sentences(known: Situation) -> list[Sentence]:
    """Return three sentences, fewer only where the data allow no more.

    The first is on money, the second on customers, the third on what to do now: of each the weightiest that the data
    allow. Where there is none, the weightiest of those left over stands in.

    Parameters
    ----------
    known
        What they are made from.
    """
    left: list[_Candidate] = []
    found: list[Sentence] = []
    for group in (_MONEY, _CUSTOMERS, _TO_DO):
        candidates = iter(group)
        found += islice(_said(candidates, known), 1)
        left += candidates
    return [*found, *islice(_said(iter(left), known), SENTENCES - len(found))]


def _said(candidates: Iterator[_Candidate], known: Situation) -> Iterator[Sentence]:
    return (sentence for one in candidates if (sentence := one(known)))


def _revenue(known: Situation) -> Sentence | None:
    speech, last, before = known.speech, known.last["net_revenue"], known.before["net_revenue"]
    if last is None:
        return None
    said = {"days": speech.number(known.days), "amount": speech.money(last, 0)}
    if not before or before <= 0:
        return Sentence(speech.t("overview.money_new", **said))
    change = float(last) / float(before) - 1
    if abs(change) < _NOTICED:
        return Sentence(speech.t("overview.money_same", **said))
    key = "overview.money_more" if change > 0 else "overview.money_less"
    return Sentence(speech.t(key, share=speech.share(abs(change)), **said))


def _segment_that_grew(known: Situation) -> Sentence | None:
    snapshot, speech = known.snapshot, known.speech
    days = snapshot.days("segment_profiles")
    grew = snapshot.row(_GREW, days[-1], days[-2]) if len(days) > 1 else None
    if grew is None:
        return None
    text = speech.t(
        "overview.segment_grew",
        name=known.segment_name(grew["segment_code"], speech.language),
        more=speech.number(grew["more"]),
        day=speech.day(grew["since"]),
    )
    return _with_advice(text, grew["segment_code"], speech)


def _lapsing_customers(known: Situation) -> Sentence | None:
    snapshot, speech = known.snapshot, known.speech
    days = snapshot.days("segments")
    if not days or not snapshot.has("churn_scores"):
        return None
    found = snapshot.row(
        "SELECT count(*) AS customers, sum(clv_365d) AS value FROM "
        f"{everybody(snapshot, days[-1])} WHERE lifecycle_stage = 'lapsing'"
    )
    if found is None or not found["value"]:
        return None
    said = {"customers": speech.number(found["customers"]), "value": speech.money(found["value"], 0)}
    return Sentence(speech.t("overview.lapsing", **said), "/segments/lifecycle/lapsing")


def _strongest_segment(known: Situation) -> Sentence | None:
    snapshot, speech = known.snapshot, known.speech
    days = snapshot.days("segment_profiles")
    found = snapshot.row(_STRONGEST, days[-1]) if days else None
    if found is None:
        return None
    text = speech.t(
        "overview.strongest",
        name=known.segment_name(found["segment_code"], speech.language),
        share=speech.share(found["share"]),
        revenue=speech.share(found["revenue_share"]),
    )
    return _with_advice(text, found["segment_code"], speech)


def _with_advice(text: str, code: str, speech: Speech) -> Sentence:
    advice = segment_advice(code, speech.language) if code in segment_codes() else ""
    return Sentence(f"{text}{speech.t('overview.and')}{advice}" if advice else text, f"/segments/rfm/{quote(code)}")


def _plan_that_waits(known: Situation) -> Sentence | None:
    snapshot, speech = known.snapshot, known.speech
    days = snapshot.days("targeted_offers")
    planned = snapshot.rows(_PLANNED, days[-1]) if days else []
    waiting = [row for row in planned if row["campaign_id"] not in known.approved]
    if not waiting:
        return None
    text = speech.t(
        "overview.plan_waits",
        day=speech.day(days[-1]),
        offers=speech.number(sum(row["offers"] for row in waiting)),
        campaigns=speech.number(len(waiting)),
        value=speech.money(sum(row["value"] for row in waiting), 0),
    )
    return Sentence(text, "/offers")


def _offers_that_wait(known: Situation) -> Sentence | None:
    days = known.snapshot.days("merchant_actions")
    found = known.snapshot.row(_WAITING, days[-1]) if days else None
    if found is None or not found["merchants"]:
        return None
    merchants = known.speech.number(found["merchants"])
    return Sentence(known.speech.t("overview.offers_wait", merchants=merchants), "/merchants?action=pause_offers")


def _merchants_that_got_worse(known: Situation) -> Sentence | None:
    days = known.snapshot.days("merchant_scorecards")
    found = known.snapshot.row(_WORSE, days[-1]) if days else None
    if found is None or not found["merchants"]:
        return None
    said = {"merchants": known.speech.number(found["merchants"]), "day": known.speech.day(found["latest"])}
    return Sentence(known.speech.t("overview.merchants_worse", **said), "/merchants?sort=-promise_gap")


def _campaign_that_lost(known: Situation) -> Sentence | None:
    return _judged(known, "overview.campaign_lost", lost=True)


def _campaign_that_earned(known: Situation) -> Sentence | None:
    return _judged(known, "overview.campaign_earned", lost=False)


def _judged(known: Situation, key: str, *, lost: bool) -> Sentence | None:
    days = known.snapshot.days("three_wins")
    found = known.snapshot.row(_JUDGED, days[-1], lost) if days else None
    if found is None:
        return None
    text = known.speech.t(key, name=found["name"], margin=known.speech.money(abs(found["margin"]), 0))
    return Sentence(text, f"/campaigns/{quote(found['id'], safe='')}")


# The weightiest first.
_MONEY: tuple[_Candidate, ...] = (_revenue, _campaign_that_lost, _campaign_that_earned)
_CUSTOMERS: tuple[_Candidate, ...] = (_segment_that_grew, _lapsing_customers, _strongest_segment)
_TO_DO: tuple[_Candidate, ...] = (_plan_that_waits, _offers_that_wait, _merchants_that_got_worse)
