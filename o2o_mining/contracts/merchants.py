"""Whether stores keep what was promised online, and what is done about it."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Check, Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

# What a visit is measured by, and all of it together.
MEASURES = ("wait", "rating", "complaint", "refund", "reservation", "price")
ALL = "all"
BANDS = ("good", "watch", "act")
REACHES = ("customer", "friends")
REFUSALS = ("too_few", "unlike_before")
OUTCOMES = ("purchases", "net_revenue")
ACTIONS = ("pause_offers", "lower_cap", "notify", "raise_cap")

_MERCHANT = _key("merchant_id", "id", "The merchant.")


def _between(name: str, low: str, high: str) -> Check:
    return Check(
        f"{name}_is_inside_its_interval",
        f"{low} <= {name} <= {high}",
        lambda t: (t[name] < t[low]) | (t[name] > t[high]),
    )


MERCHANT_SCORECARDS = Table(
    name="merchant_scorecards",
    room="merchants",
    kind=Kind.MINED,
    row="One merchant with a visit in the year before as_of: promise kept, cost, efficiency, and what follows.",
    columns=(
        AS_OF,
        _MERCHANT,
        Column("category", "text", "Its category; (unknown) where none is told."),
        Column("peers", "int", "Merchants it is ranked among, itself included.", low=1),
        Column("visits", "int", "Visits in its stores that the gap is made of.", low=0),
        Column("since_on", "date", "From which day on visits count: 90 days before as_of, or a later change."),
        Column("promise_gap", "double", "Standard deviations of the category that it is worse than promised."),
        Column("promise_gap_low", "double", "Low end of the 95 % interval of the gap."),
        Column("promise_gap_high", "double", "High end of the 95 % interval of the gap."),
        _opt("gap_trend", "double", "Gap of the last 30 days less that of the 60 days before."),
        _opt("gap_trend_low", "double", "Low end of the 95 % interval of the trend."),
        _opt("gap_trend_high", "double", "High end of the 95 % interval of the trend."),
        _opt("wait_gap_min", "double", "Minutes waited beyond the promise, shrunk."),
        _opt("wait_gap_min_low", "double", "Low end of its 95 % interval."),
        _opt("wait_gap_min_high", "double", "High end of its 95 % interval."),
        _opt("rating_gap", "double", "Stars promised less stars given, beyond what peers lack, shrunk."),
        Column("refund_share", "double", "Share of visits whose money was given back.", low=0, high=1),
        Column("complaint_share", "double", "Share of visits that were complained of.", low=0, high=1),
        _opt("kept_reservations_share", "double", "Share of reservations due that were consumed.", low=0, high=1),
        _opt("bad_visit_share", "double", "Share of visits that waited much longer than promised.", low=0, high=1),
        _opt("cost_share", "double", "Discounts and media over list price.", low=0),
        _opt("net_amount_per_store_day", "double", "Net amount a day and store."),
        _opt("redeemed_share", "double", "Share of coupons used among those used or expired.", low=0, high=1),
        Column("service_score", "double", "Percentile among peers by promise gap; 100 is best.", low=0, high=100),
        Column("cost_score", "double", "Percentile by cost_share; 50 where unknown.", low=0, high=100),
        Column("efficiency_score", "double", "Mean percentile by sales and coupons; 50 if unknown.", low=0, high=100),
        Column("peer_percentile", "double", "Share of peers that it beats on all three together.", low=0, high=1),
        Column("band", "text", "What the evidence says.", allowed=BANDS),
        Column("evidence", "double", "Digits of evidence that it has turned bad: at the limit it is stopped."),
        _opt("found_on", "date", "The first as_of that knew of the standing change for the worse."),
        _opt("action_code", "text", "What the rules do.", allowed=ACTIONS),
        Column("mend_code", "text", "What to mend first, with values."),
        Column("reason_codes", "codes", "What is worse than promised, the worst first, with values."),
    ),
    checks=(_between("promise_gap", "promise_gap_low", "promise_gap_high"),),
)

PROMISE_GAPS = Table(
    name="promise_gaps",
    room="merchants",
    kind=Kind.MINED,
    row="How far one merchant or store is from its promise by one measure, or by all together.",
    columns=(
        AS_OF,
        _key("level", "text", "Whose gap.", allowed=("merchant", "store")),
        _key("id", "text", "Its merchant_id or store_id."),
        _key("measure", "text", "What is measured, or all.", allowed=(*MEASURES, ALL)),
        Column("merchant_id", "id", "The merchant."),
        Column("visits", "int", "Visits, reviews or reservations that tell.", low=0),
        _opt("mean", "double", "Mean in the measure's own unit: minutes, stars or a share; null for all."),
        Column("gap", "double", "The gap in standard deviations of the category, shrunk; positive is worse."),
        Column("gap_low", "double", "Low end of its 95 % interval."),
        Column("gap_high", "double", "High end of its 95 % interval."),
        Column("weight", "double", "Weight of the measure in all together.", low=0, high=1),
    ),
    checks=(_between("gap", "gap_low", "gap_high"),),
)

MERCHANT_CHANGES = Table(
    name="merchant_changes",
    room="merchants",
    kind=Kind.MINED,
    row="One change for the worse that was found within a year before as_of.",
    columns=(
        AS_OF,
        _MERCHANT,
        _key("found_on", "date", "The first as_of that knew."),
        Column("changed_on", "date", "The likeliest day of the change."),
        _opt("lifted_on", "date", "The first as_of that knew it mended; null while it stands."),
        Column("measure", "text", "What told most of it.", allowed=MEASURES),
        Column("visits", "int", "Observations of that measure from the change to the day it was found.", low=0),
        Column("evidence", "double", "Digits of evidence when it was found."),
    ),
)

MERCHANT_ACTIONS = Table(
    name="merchant_actions",
    room="merchants",
    kind=Kind.MINED,
    row="One decision of the rules about one merchant: what is done, by which rule, and why.",
    columns=(
        AS_OF,
        _MERCHANT,
        Column("action_code", "text", "What is done.", allowed=ACTIONS),
        Column("rule_code", "text", "The rule that says so: the first that applies."),
        Column("band", "text", "The state it is in.", allowed=BANDS),
        _opt("found_on", "date", "Since when the state is known, where a change was found."),
        Column("reason_codes", "codes", "The values that met the rule, then what is worse than promised."),
    ),
)

BAD_VISIT_COSTS = Table(
    name="bad_visit_costs",
    room="merchants",
    kind=Kind.MINED,
    row="What a bad visit costs in the 90 days after it, by whose purchases are lost.",
    columns=(
        AS_OF,
        _key("reach", "text", "Whose purchases: the customer's or those of friends brought.", allowed=REACHES),
        _key("outcome", "text", "What is lost.", allowed=OUTCOMES),
        Column("bad_visits", "int", "Bad visits that are compared.", low=0),
        Column("good_visits", "int", "Good visits alike that they are compared with.", low=0),
        _opt("expected", "double", "Mean after the bad visits, had they been good."),
        _opt("effect", "double", "What a bad visit changes: below 0 is a loss."),
        _opt("effect_low", "double", "Low end of its 95 % interval."),
        _opt("effect_high", "double", "High end of its 95 % interval."),
        _opt("placebo", "double", "The same difference half a year before, over what was bought then; 0 if alike."),
        Column("label", "text", "What the figure rests on.", allowed=("observational", "refused")),
        _opt("reason_code", "text", "Why there is no figure.", allowed=REFUSALS),
    ),
)  # fmt: skip

TABLES = (MERCHANT_SCORECARDS, PROMISE_GAPS, MERCHANT_CHANGES, MERCHANT_ACTIONS, BAD_VISIT_COSTS)
