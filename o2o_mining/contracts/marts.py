"""What was known before a day: the working tables that rooms mine from, features, and what is told otherwise now."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts import events
from o2o_mining.contracts.features import FEATURES
from o2o_mining.contracts.schema import Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF, CUSTOMER

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

KNOWN_CUSTOMERS = Table(
    name="known_customers",
    room="marts",
    kind=Kind.WORKING,
    row="One customer known before as_of: of the feed customers, or, where that feed is missing, of any feed.",
    columns=(AS_OF, CUSTOMER),
)

KNOWN = (
    *(
        events.as_known(table)
        for table in (events.PURCHASES, events.JOURNEYS, events.JOURNEY_TOUCHES, events.COUPON_LIFECYCLE)
    ),
    KNOWN_CUSTOMERS,
)

CUSTOMER_FEATURES = Table(
    name="customer_features",
    room="marts",
    kind=Kind.MINED,
    row="What was known of one customer before as_of.",
    columns=(AS_OF, CUSTOMER, *FEATURES),
)

PAST_FEATURES = Table(
    name="past_features",
    room="marts",
    kind=Kind.WORKING,
    row="What was known of one customer before an earlier day, for models to learn what came of it.",
    columns=(
        AS_OF,
        _key("known_on", "date", "The earlier day: only what was known before it counts."),
        CUSTOMER,
        *FEATURES,
    ),
)

RESTATEMENTS = Table(
    name="restatements",
    room="marts",
    kind=Kind.MINED,
    row="One published value of a table of events that the run for as_of tells otherwise.",
    columns=(
        AS_OF,
        _key("table", "text", "The table."),
        _key("key", "text", "The row's key."),
        _key("column", "text", "The column, or (row) for a row that came late or was withdrawn."),
        _opt("old", "text", "What was published; it may be the id of a person.", personal=True),
        _opt("new", "text", "What is told now.", personal=True),
        Column(
            "cause",
            "text",
            "What changed it: late_row, withdrawn, correction, refund, cancellation, consumption, touch, use, state.",
        ),
    ),
)

TABLES = (*KNOWN, CUSTOMER_FEATURES, PAST_FEATURES, RESTATEMENTS)
