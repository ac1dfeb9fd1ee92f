"""Who is leaving, and what each customer is worth."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Check, Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF, CUSTOMER

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)


def _money_to_come(days: int) -> tuple[Column, ...]:
    """Return the columns of the money of the next days."""
    name, when = f"clv_{days}d", f"of the next {days} days"
    return (
        _opt(name, "money", f"Expected net amount {when}; null where no amount of the customer is known.", low=0),
        _opt(f"{name}_low", "money", f"Low end of the 80 % interval of the net amount {when}.", low=0),
        _opt(f"{name}_high", "money", f"High end of the 80 % interval of the net amount {when}.", low=0),
        _opt(f"{name}_median", "money", f"Net amount {when} that is exceeded in half of the cases.", low=0),
        _opt(f"{name}_sd", "money", f"Standard deviation of the net amount {when}; variances add up.", low=0),
    )


CHURN_SCORES = Table(
    name="churn_scores",
    room="lifecycle",
    kind=Kind.MINED,
    row="One customer who bought: whether they will come back, and what they will be worth.",
    columns=(
        AS_OF,
        CUSTOMER,
        _key("horizon_days", "int", "How far churn looks ahead.", low=1),
        Column("churn_probability", "double", "Probability of no purchase within the horizon.", low=0, high=1),
        Column("probability_alive", "double", "Probability of not having left for good.", low=0, high=1),
        Column("expected_purchases_90d", "double", "Expected days with a purchase, of the next 90.", low=0),
        *_money_to_come(90),
        *_money_to_come(365),
        Column("reason_codes", "codes", "What raises the probability of churn most, with values."),
    ),
    checks=(
        Check(
            "clv_is_inside_its_interval",
            "clv_90d_low <= clv_90d <= clv_90d_high",
            lambda t: (t.clv_90d < t.clv_90d_low) | (t.clv_90d > t.clv_90d_high),
        ),
    ),
)

CHURN_QUALITY = Table(
    name="churn_quality",
    room="lifecycle",
    kind=Kind.MINED,
    row="One metric of the models, on windows that began after those they had learned from.",
    columns=(
        AS_OF,
        _key("horizon_days", "int", "How far churn looks ahead.", low=1),
        _key("metric", "text", "What is measured."),
        Column("value", "double", "Its value."),
    ),
)

CUSTOMER_COHORTS = Table(
    name="customer_cohorts",
    room="lifecycle",
    kind=Kind.MINED,
    row="The customers whose first purchase was in one month.",
    columns=(
        AS_OF,
        _key("cohort_on", "date", "First day of the month."),
        Column("customers", "int", "Customers who first bought in it.", low=1),
        Column("there", "double", "Customers expected not to have left for good.", low=0),
        Column("net_amount", "money", "What they brought before as_of."),
        *(
            _opt(f"clv_{days}d{end}", "money", doc.format(days))
            for days in (90, 365)
            for end, doc in (
                ("", "Expected net amount of the next {} days."),
                ("_low", "Low end of its 80 % interval over {} days."),
                ("_high", "High end of its 80 % interval over {} days."),
            )
        ),
    ),
)

TABLES = (CHURN_SCORES, CHURN_QUALITY, CUSTOMER_COHORTS)
