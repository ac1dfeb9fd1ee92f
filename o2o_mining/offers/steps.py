"""The steps that write what this room owns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from o2o_mining.contracts.catalogue import contract
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.consent import MARKETING, last_words
from o2o_mining.engine.portable import moment, share
from o2o_mining.offers import eligibility, money
from o2o_mining.offers.caps import LOWER, RAISE
from o2o_mining.offers.charts import value_by_budget
from o2o_mining.offers.planning import Plan, make_plan
from o2o_mining.offers.reasons import reason_codes, reason_text
from o2o_mining.offers.value import SIDES, valued

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.base import Engine

_SCORECARDS, _PAUSE = "merchant_scorecards", "pause_offers"
_PLAN = ("targeted_offers", "offer_holdouts", "offer_exclusions", "offer_budget_curve")


def build_targeted_offers(engine: Engine, *, as_of: date, settings: Settings) -> list[StepReport]:
    """Write the plan of a day: ``targeted_offers``, ``offer_holdouts``, ``offer_exclusions``, ``offer_budget_curve``.

    Parameters
    ----------
    engine
        Holds ``response_scores`` of that day, and what was known before it.
    as_of
        The day.
    settings
        Shares held out, caps, weights, and what stands in for what nobody told.

    Returns
    -------
    list of StepReport
        One for each table.
    """
    notes: list[str] = []
    offers = _offers(engine, as_of)
    candidates = _candidates(engine, offers, as_of, settings, notes)
    if candidates.empty:
        notes.append(f"no coupon of a campaign that runs on {as_of} is scored: there is nothing to plan")
        return [
            StepReport(name, _write(engine, name, pd.DataFrame(), as_of), notes=tuple(notes) if not place else ())
            for place, name in enumerate(_PLAN)
        ]
    actions = _actions(engine, as_of, notes)
    candidates["promise_gap"] = candidates["merchant_id"].map(actions) == _PAUSE
    coupons = _coupon_values(engine, as_of, settings)
    valued(candidates, coupons, _worth_later(engine, as_of), settings)
    plan = make_plan(
        candidates,
        budgets=_budgets_left(engine, offers, candidates, as_of),
        capacities=_pieces_left(engine, offers, as_of),
        actions=actions,
        settings=settings,
    )
    notes += _notes(plan, coupons.loc[candidates["coupon_id"].unique()], settings)
    notes += _caps(
        plan, {name: actions[name] for name in candidates["merchant_id"].unique() if name in actions}, settings
    )
    return _reports(engine, plan, coupons, as_of, settings, notes)


def _offers(engine: Engine, as_of: date) -> pd.DataFrame:
    made = eligibility.campaign_offers(engine.feed("coupons"), engine.feed("campaigns"), as_of=as_of)
    return engine.execute(made.order_by("coupon_id"))  # type: ignore[no-any-return]


def _candidates(
    engine: Engine, offers: pd.DataFrame, as_of: date, settings: Settings, notes: list[str]
) -> pd.DataFrame:
    """Return the candidates with their marks; nothing where no coupon of a campaign is scored."""
    scores = engine.slice("response_scores", as_of)
    standing = int(engine.execute(scores.filter(scores.campaign_id.isnull()).coupon_id.nunique()))
    if standing:
        notes.append(f"{standing} coupons without a campaign are scored and not planned")
    if offers.empty:
        return offers
    coupons, customers, sends = (engine.feed(name) for name in ("coupons", "customers", "sends"))
    asked = eligibility.already_asked(
        engine.feed("assignments"), sends, engine.feed("coupon_receipts"),
        coupons.select("coupon_id", "campaign_id"), as_of=as_of,
    )  # fmt: skip
    made = eligibility.marked(
        scores,
        eligibility.campaign_offers(coupons, engine.feed("campaigns"), as_of=as_of),
        customers=customers,
        words=last_words(customers, engine.feed("consents"), purpose=MARKETING, as_of=as_of),
        contacts=eligibility.contacts(engine.feed("touches"), sends, as_of=as_of),
        asked=asked,
        settings=settings,
        as_of=as_of,
    )
    frame: pd.DataFrame = engine.execute(made)
    if settings.assumed_consent:
        notes.append("consent to marketing is assumed where no word says otherwise (setting assumed_consent)")
    return frame


def _actions(engine: Engine, as_of: date, notes: list[str]) -> dict[str, str]:
    """Return what the rules of the scorecards do, by merchant."""
    if as_of not in engine.slices(_SCORECARDS):
        notes.append(
            f"no slice of merchant_scorecards of {as_of}: no merchant's offers wait for its promise gap, no cap changes"
        )
        return {}
    cards = engine.slice(_SCORECARDS, as_of)
    found = engine.execute(cards.filter(cards.action_code.notnull()).select("merchant_id", "action_code"))
    return dict(zip(found["merchant_id"], found["action_code"], strict=True))


def _coupon_values(engine: Engine, as_of: date, settings: Settings) -> pd.DataFrame:
    """Return what visits and coupons are worth, of all coupons: those of today learn from the others."""
    purchases = engine.known("purchases", as_of)
    bought = money.baskets(purchases)
    usual = bought.select("merchant_id", off_share=share(bought.off, bought.listed))
    campaigns, coupons = engine.feed("campaigns"), engine.feed("coupons")
    told = coupons.select("coupon_id", "merchant_id", "campaign_id", "kind", "threshold", "discount")
    told = told.left_join(campaigns.select("campaign_id", "channel"), "campaign_id").drop("campaign_id_right")
    merchants = engine.feed("merchants").select("merchant_id", "category", "margin_share", "commission_share")
    used = money.coupon_uses(engine.known("coupon_lifecycle", as_of), purchases, usual)
    channels = money.contact_costs(engine.feed("touches"), engine.feed("campaign_costs"), as_of=as_of)
    return money.coupon_values(
        *(engine.execute(table) for table in (told, merchants, bought, used, channels)), settings=settings
    )


def _worth_later(engine: Engine, as_of: date) -> pd.Series[float]:
    scores = engine.execute(engine.slice("churn_scores", as_of).select("customer_id", "horizon_days", "clv_90d"))
    scores = scores.sort_values(["customer_id", "horizon_days"]).drop_duplicates("customer_id")
    return scores.set_index("customer_id")["clv_90d"].astype(float)  # type: ignore[no-any-return]


def _budgets_left(engine: Engine, offers: pd.DataFrame, candidates: pd.DataFrame, as_of: date) -> dict[str, float]:
    """Return what is left of each campaign's budget: less its costs and the discounts of its coupons so far."""
    costs = engine.feed("campaign_costs")
    spent = costs.filter(costs.spent_on < ibis.literal(as_of)).group_by("campaign_id").aggregate(spent=costs.cost.sum())
    if engine.absence("campaign_costs"):
        touches = engine.feed("touches")
        paid = touches.filter((touches.touched_at < moment(as_of)) & touches.campaign_id.notnull())
        spent = paid.group_by("campaign_id").aggregate(spent=paid.cost.sum())
    uses = engine.known("coupon_lifecycle", as_of)
    off = uses.filter(uses.campaign_id.notnull()).group_by("campaign_id").aggregate(spent=uses.discount_amount.sum())
    gone = engine.execute(ibis.union(spent, off, distinct=False)).dropna()
    gone = gone.groupby("campaign_id")["spent"].sum().astype(float)
    given = offers.drop_duplicates("campaign_id").set_index("campaign_id")["budget"]
    left = {}
    for campaign in candidates["campaign_id"].unique():
        budget = given[campaign]
        left[str(campaign)] = (
            math.inf if pd.isna(budget) else max(round(float(budget) - float(gone.get(campaign, 0.0)), 2), 0.0)
        )
    return left


def _pieces_left(engine: Engine, offers: pd.DataFrame, as_of: date) -> dict[str, int]:
    """Return how many of each coupon with a stock are left: less those received, sent or used."""
    stocked = offers.dropna(subset=["stock"]).set_index("coupon_id")["stock"].astype(int)
    if stocked.empty:
        return {}
    holders = engine.known("coupon_lifecycle", as_of).select("coupon_id", "customer_id")
    sends = engine.feed("sends")
    sent = sends.filter(sends.coupon_id.notnull() & (sends.sent_at < moment(as_of))).select("coupon_id", "customer_id")
    sent = sent.anti_join(holders, ["coupon_id", "customer_id"]).distinct()
    out = engine.execute(ibis.union(holders, sent, distinct=False).coupon_id.value_counts(name="n"))
    given = out.set_index("coupon_id")["n"]
    return {str(coupon): max(stock - int(given.get(coupon, 0)), 0) for coupon, stock in stocked.items()}


def _notes(plan: Plan, coupons: pd.DataFrame, settings: Settings) -> list[str]:
    """Say what stands in for what nobody told, and how pilots are laid out."""
    notes = []
    if (coupons["margin_basis"] == "setting").any():
        notes.append(f"merchants without a margin_share count with {settings.default_margin_share} (setting)")
    if coupons["basket_with"].isna().any():
        notes.append("no amount of any purchase is known: no offer can be valued")
    if coupons["taken_off"].isna().any():
        lost = int(coupons["taken_off"].isna().sum())
        notes.append(f"of {lost} coupons neither terms nor a use say what they take off: they are not planned")
    sent = plan.targeted.groupby("campaign_id").size()
    for campaign, (needed, there) in plan.pilots.items():
        worth = int(sent.get(campaign, 0))
        few = "" if worth >= needed else "; with so few only a large effect can be told from chance"
        notes.append(
            f"campaign {campaign} has no causal data: a randomised pilot of {needed:,} customers an arm, of "
            f"{there:,} who could take part; {settings.assumed_incremental_share} of redemptions are assumed to be "
            f"caused (setting assumed_incremental_share). {worth:,} are worth the cost of asking them{few}"
        )
    if plan.served:
        notes.append(
            f"the plan for the {plan.served} alone is worth more to all three sides than the one by the weights and "
            "was taken; look at the weights"
        )
    return notes


def _caps(plan: Plan, actions: Mapping[str, str], settings: Settings) -> list[str]:
    """Say whose caps the rules change, and which caps are reached."""
    cap, notes = settings.merchant_offers_cap, []
    lowered, raised = (sorted(name for name, done in actions.items() if done == code) for code in (LOWER, RAISE))
    if lowered:
        notes.append(f"half of what would be sent for {', '.join(lowered)}: the rules lower the cap (lower_cap)")
    if raised:
        notes.append(f"up to {2 * cap:,} offers for {', '.join(raised)}: the rules raise the cap (raise_cap)")
    if reached := [name for name in plan.full if name not in (*lowered, *raised)]:
        notes.append(f"the cap of {cap:,} offers (setting merchant_offers_cap) is reached for {', '.join(reached)}")
    return notes


def _reports(
    engine: Engine, plan: Plan, coupons: pd.DataFrame, as_of: date, settings: Settings, notes: list[str]
) -> list[StepReport]:
    targeted = _with_reasons(engine, plan.targeted, coupons, as_of)
    frames = dict(zip(_PLAN, (targeted, plan.holdouts, plan.exclusions, plan.curve), strict=True))
    rows = {name: _write(engine, name, frame, as_of) for name, frame in frames.items()}
    figures: dict[str, float | int | str | None] = {
        "offers": rows["targeted_offers"],
        "expected cost": round(math.fsum(targeted["expected_cost"]), 2),
        "expected value": round(math.fsum(targeted["expected_value"]), 2),
        **{f"value to the {side}": plan.sides[side] for side in SIDES},
        "gap to the best allocation": round(plan.gap, 6),
    }
    best = targeted.sort_values(["rank", "campaign_id"]).head(10)
    why = best["reason_codes"].map(lambda codes: "; ".join(map(reason_text, codes)))
    shown = best[["campaign_id", "customer_id", "coupon_id", "channel", "expected_value", "expected_cost"]]
    sides = pd.DataFrame(
        [{"plan": "chosen", **plan.sides}, *({"plan": f"all for the {k}", **v} for k, v in plan.alternatives.items())]
    )
    reasons = plan.exclusions["reason_code"].value_counts().rename_axis("reason").reset_index(name="customers")
    charts = {"budget": lambda: value_by_budget(plan.curve, settings.currency)} if len(plan.curve) else {}
    return [
        StepReport(
            "targeted_offers", rows["targeted_offers"], notes=tuple(notes), figures=figures,
            samples={"First to send": shown.assign(why=why).reset_index(drop=True), "Value to each side": sides},
        ),
        StepReport(
            "offer_holdouts", rows["offer_holdouts"],
            figures={"would be sent": int(plan.holdouts["would_be_sent"].sum()) if len(plan.holdouts) else 0},
        ),
        StepReport("offer_exclusions", rows["offer_exclusions"], samples={"Why not": reasons}),
        StepReport("offer_budget_curve", rows["offer_budget_curve"], charts=charts),
    ]  # fmt: skip


def _with_reasons(engine: Engine, targeted: pd.DataFrame, coupons: pd.DataFrame, as_of: date) -> pd.DataFrame:
    stages = engine.slice("segments", as_of)
    known = engine.execute(stages.select("customer_id", "lifecycle_stage", "recency_days", "lapsing_after_days"))
    offers = targeted.merge(known, how="left", on="customer_id")
    offers = offers.assign(
        send_on=as_of, reason_codes=pd.Series(reason_codes(offers), index=offers.index, dtype=object)
    )
    for name in ("channel", "margin_basis"):
        offers[name] = offers["coupon_id"].map(coupons[name])
    return offers


def _write(engine: Engine, table: str, frame: pd.DataFrame, as_of: date) -> int:
    """Write rows that were made in memory, in the types of the contract."""
    schema = {name: kind for name, kind in contract(table).schema.items() if name != "as_of"}
    if frame.empty:
        return engine.write(table, engine.read(table).filter(False).drop("as_of"), as_of=as_of)
    return engine.write(table, ibis.memtable(frame[list(schema)]).cast(schema), as_of=as_of)
