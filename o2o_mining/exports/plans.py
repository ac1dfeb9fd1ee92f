"""The offers of a plan as lists to send: who gets which coupon of which campaign, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import ibis

from o2o_mining.core.errors import UsageError
from o2o_mining.exports.audiences import Audience, release_audience
from o2o_mining.exports.headings import title
from o2o_mining.exports.release import Content, ExportReport, Order, Words, named_stream, release, slice_day
from o2o_mining.exports.standing import (
    LISTED,
    NobodyError,
    consent_said,
    left_out,
    notes,
    refuse_nobody,
    standings,
    with_standing,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.home import Home

TABLE = "targeted_offers"
# What a plan is handed out as: for reading, and for the program that sends.
PLAN_FORMATS = ("csv", "xlsx")

_LISTED = (
    "campaign_id", "rank", "customer_id", "coupon_id", "merchant_id", "channel", "send_on", "redemption_probability",
    "uplift", "uplift_low", "uplift_high", "basis", "expected_value", "expected_cost", "reason_codes", "consent",
    "as_of",
)  # fmt: skip
_ORDER = ("campaign_id", "rank", "customer_id", "coupon_id")


def export_offers(
    home: Home,
    order: Order,
    *,
    reason_text: Words | None = None,
    campaign: str | None = None,
    as_of: date | str | None = None,
) -> ExportReport:
    """Write the offers of a plan whose customers still consent, with reasons in words and a manifest beside the file.

    Consent, profiling and holdouts are asked for once more: a customer may have withdrawn since the plan was made.

    Parameters
    ----------
    home
        The published snapshot.
    order
        How the file is asked for. For an ad platform the customers of the offers are listed, each once.
    reason_text
        From a reason code and a language to words; None leaves the codes alone.
    campaign
        One campaign; all by default.
    as_of
        Day of the slice; the latest by default.

    Returns
    -------
    ExportReport
        Where the file is, its rows, and which offers were left out and why.

    Raises
    ------
    UsageError
        If there is no such slice, or no offer of such a campaign.
    NobodyError
        If nothing is planned, nobody may be listed, or too few for the platform.

    Examples
    --------
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.home import open_home
    >>> export_offers(open_home("no-such-home"), Order(Settings()))
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    day = slice_day(home, TABLE, as_of)
    campaigns = _campaigns(_slice(home, TABLE, day))
    if not campaigns:
        raise NobodyError(
            f"no offer is planned as of {day}: table {TABLE} is empty",
            next_step="look at offer_exclusions: it says for each customer why not",
        )
    if campaign is not None and campaign not in campaigns:
        raise UsageError(
            f"no offer of a campaign '{campaign}' is planned as of {day}",
            next_step=f"use one of {', '.join(campaigns[:20])}",
        )
    return _release(home, order, day, campaigns, campaign, reason_text)


def _release(
    home: Home, order: Order, day: date, campaigns: list[str], campaign: str | None, reason_text: Words | None
) -> ExportReport:
    planned = _slice(home, TABLE, day)
    if campaign is not None:
        planned, campaigns = planned.filter(planned.campaign_id == campaign), [campaign]
    rows = planned.select("campaign_id", "customer_id").distinct() if order.platform else planned
    asked = _with_standing(home, rows, day, order)
    counts = standings(asked)
    which = "" if campaign is None else f" of campaign {campaign}"
    refuse_nobody(counts, purpose=order.purpose, said=f"the offers{which} as of {day}")
    about: dict[str, Any] = {
        "stem": "-".join(filter(None, ("offers", campaign, str(day)))),
        "said": {
            "table": TABLE,
            "campaign_ids": campaigns,
            "as_of": str(day),
            "purpose": order.purpose,
            "consent": consent_said(counts, order.settings),
        },
        "left_out": left_out(counts),
        "notes": notes(counts, purpose=order.purpose, unit="offers"),
    }
    if order.platform:
        people = asked.filter(asked.consent.isin(LISTED)).select("customer_id").distinct()
        return release_audience(Audience(people=people, **about), order, home)
    words = {} if reason_text is None else {"reason_codes": reason_text}
    may = asked.filter(asked.consent.isin(LISTED)).select(*_LISTED).order_by(*_ORDER)
    n_rows = sum(counts.get(basis, 0) for basis in LISTED)
    shown, fields = named_stream(home, may, n_rows, TABLE, order, words=words)
    return release(Content(title=title(TABLE, order.spoken), rows=shown, fields=fields, **about), order, home)


def export_plan(
    home: Home, order: Order, *, as_of: date, reason_text: Words | None = None
) -> Iterator[ExportReport | NobodyError]:
    """Write the lists of a day's plan for people: one for each campaign, in each of ``PLAN_FORMATS``.

    Parameters
    ----------
    home
        The published snapshot.
    order
        How the files are asked for; of its format no notice is taken.
    reason_text
        From a reason code and a language to words; None leaves the codes alone.
    as_of
        Day of the plan.

    Yields
    ------
    ExportReport or NobodyError
        What was written; or, once for a campaign, why nothing was.

    Examples
    --------
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.home import open_home
    >>> list(export_plan(open_home("no-such-home"), Order(Settings()), as_of=date(2024, 1, 1)))
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    for campaign in _campaigns(_slice(home, TABLE, as_of)):
        try:
            for file_format in PLAN_FORMATS:
                wanted = replace(order, format=file_format)
                yield export_offers(home, wanted, reason_text=reason_text, campaign=campaign, as_of=as_of)
        except NobodyError as refused:
            yield refused


def standing_offers(home: Home, *, settings: Settings, as_of: date) -> ir.Table:
    """One offer of a day's plan whose customer may still get it.

    Parameters
    ----------
    home
        The published snapshot.
    settings
        Of the home: whether silence is consent, and who is held out.
    as_of
        Day of the plan.

    Returns
    -------
    ibis.Table
        ``targeted_offers`` of the day with ``consent``.

    Examples
    --------
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.home import open_home
    >>> standing_offers(open_home("no-such-home"), settings=Settings(), as_of=date(2024, 1, 1))
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    asked = _with_standing(home, _slice(home, TABLE, as_of), as_of, Order(settings))
    return asked.filter(asked.consent.isin(LISTED))


def _slice(home: Home, table: str, day: date) -> ir.Table:
    rows = home.table(table)
    return rows.filter(rows.as_of == ibis.literal(day))


def _campaigns(planned: ir.Table) -> list[str]:
    return sorted(planned.select("campaign_id").distinct().to_pyarrow()["campaign_id"].to_pylist())


def _with_standing(home: Home, rows: ir.Table, day: date, order: Order) -> ir.Table:
    """Ask for consent and profiling by the last word, and for both kinds of holdouts."""
    drawn = _slice(home, "offer_holdouts", day)
    # Whom the plan held out of everything stays so, though salt or share were changed since.
    globally = drawn.filter(drawn.kind == "global").select("customer_id").distinct()
    everywhere = globally.cross_join(rows.select("campaign_id").distinct())
    held = everywhere.select("customer_id", "campaign_id").union(drawn.select("customer_id", "campaign_id"))
    return with_standing(home, rows, purpose=order.purpose, settings=order.settings, held=held, profiled=True)
