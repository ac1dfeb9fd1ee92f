"""``o2o trace``: the whole life of one order, from the first touch to the credits."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from o2o_mining.cli.export import open_with_settings
from o2o_mining.cli.output import home_option, json_option, print_json, print_table, reporting_errors, typed
from o2o_mining.core.redaction import redact
from o2o_mining.tracking import Trace
from o2o_mining.tracking import trace as life_of
from o2o_mining.tracking.events import Event
from o2o_mining.tracking.tracing import Credit

_NOTHING = Decimal("0.00")


@click.command()
@click.argument("code")
@home_option
@json_option
@reporting_errors
def trace(code: str, home: str | None, as_json: bool) -> None:
    """Tell the life of an order: touches, coupon, order, visit, refund, exports, credits.

    CODE is a tracking code, or the id of an order, a redemption, a receipt or a purchase.
    """
    opened, settings = open_with_settings(home)
    try:
        life = life_of(opened, code)
    finally:
        opened.close()
    next_steps = list(_next_steps(life, opened.path))
    if as_json:
        print_json(_document(life, settings.currency, next_steps))
    else:
        _tell(life, settings.currency, next_steps)


def _tell(life: Trace, currency: str, next_steps: Sequence[str]) -> None:
    customers = dict.fromkeys(event.customer_id for event in life.events)
    who = f"customer {redact(next(iter(customers)))}" if len(customers) == 1 else f"{len(customers)} customers"
    click.echo(f"{life.text}: {who}, {_count(life.events, 'event')}, times in UTC, amounts in {currency}")
    for finding in life.codes:
        click.echo(f"Code {finding.code}: {finding.state}")
    click.echo()
    several = len(customers) > 1
    headings = ["when", "what", "id", *(["customer"] if several else []), "channel", "campaign", "place", "amount", ""]
    print_table(headings, [_line(event, several) for event in life.events])
    if life.purchases:
        paid, refunded, net = _sums(life)
        said = f"paid {paid:,.2f}, given back {refunded:,.2f}, left {net:,.2f} {currency}"
        click.echo(f"\n{_count(life.purchases, 'purchase')}: {said}")
    if life.credits:
        models = list(dict.fromkeys(credit.model for credit in life.credits))
        click.echo("\nCredited by model, refunds taken off:")
        print_table(["purchase", "touch", "channel", "campaign", *models], _credit_lines(life.credits, models))
    for file in life.exports:
        click.echo(f"\nExported: {file['file']} ({file['rows']:,} rows{_said(' as of ', file['as_of'])})")
    for note in life.notes:
        click.echo(f"\n{note[0].upper()}{note[1:]}.")
    click.echo("\nNext:")
    for step in next_steps:
        click.echo(f"  {typed(step)}")


def _line(event: Event, several: bool) -> list[Any]:
    place = event.merchant_id if event.store_id is None else f"{event.merchant_id}, {event.store_id}"
    note = event.note if event.coupon_id is None else f"coupon {event.coupon_id}{_said('; ', event.note)}"
    who = [redact(event.customer_id)] if several else []
    moment = f"{event.at:%Y-%m-%d %H:%M:%S}"
    return [moment, event.what, event.id, *who, event.channel, event.campaign_id, place, event.amount, note]


def _credit_lines(credits_: Sequence[Credit], models: Sequence[str]) -> Iterator[list[Any]]:
    """Give one line for each touch of each purchase, with the money that each model credits to it."""
    touches = dict.fromkeys((c.purchase_id, c.touch_id, c.channel, c.campaign_id) for c in credits_)
    money = {(c.purchase_id, c.touch_id, c.model): c.amount + c.refund for c in credits_}
    for purchase, touch, channel, campaign in touches:
        yield [purchase, touch, channel, campaign, *(money.get((purchase, touch, model)) for model in models)]


def _sums(life: Trace) -> tuple[Decimal, Decimal, Decimal]:
    """Return what was paid, given back and left of what was not cancelled; unknown amounts count as nothing."""
    kept = [row for row in life.purchases if row["cancelled_at"] is None]
    columns = ("paid_amount", "refunded_amount", "net_amount")
    paid, refunded, net = (sum((row[column] or _NOTHING for row in kept), _NOTHING) for column in columns)
    return paid, refunded, net


def _next_steps(life: Trace, home: Path) -> Iterator[str]:
    for finding in life.codes:
        if finding.next_step:
            yield f"{finding.code}: {finding.next_step}"
    if any(map(_awaited, life.purchases)):
        yield "paid and not yet consumed: its visit comes with offline_redemptions, under the order_id"
    if not life.purchases:
        yield "nothing was bought with it up to now; the next run brings newer logs in"
    for campaign in life.campaigns[:3]:
        words = ["o2o", "export", "table", "campaign_attribution", "--where", f"id={campaign}", "--home", str(home)]
        yield shlex.join(words)
    if life.purchases and not life.campaigns:
        yield shlex.join(["o2o", "export", "table", "campaign_attribution", "--home", str(home)])


def _awaited(purchase: dict[str, Any]) -> bool:
    """Say whether a visit should still come: not of what was cancelled, wholly given back or brought home."""
    gone = purchase["cancelled_at"] is not None or purchase["net_amount"] == 0 or purchase["fulfilment"] == "delivery"
    return not gone and purchase["consumed_at"] is None


def _document(life: Trace, currency: str, next_steps: Sequence[str]) -> dict[str, Any]:
    paid, refunded, net = _sums(life)
    said = asdict(life)
    for row in (*said["events"], *said["purchases"]):
        row["customer_id"] = redact(row["customer_id"])
    return {
        **said,
        "campaigns": life.campaigns,
        "currency": currency,
        "paid": paid,
        "refunded": refunded,
        "net": net,
        "next": list(next_steps),
    }


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _said(before: str, text: object) -> str:
    return f"{before}{text}" if text else ""
