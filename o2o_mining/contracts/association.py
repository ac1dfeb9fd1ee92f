"""Association rules."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

SCOPES = ("basket", "customer", "sequence")
LEVELS = ("product", "subcategory", "category", "merchant")

ASSOCIATION_RULES = Table(
    name="association_rules",
    room="association",
    kind=Kind.MINED,
    row="One rule that holds among customers who had no part in finding it.",
    columns=(
        AS_OF,
        _key(
            "scope", "text", "Bought in one basket, by one customer within some days, or one after the other.",
            allowed=SCOPES,
        ),
        _key("level", "text", "What the rule is about.", allowed=LEVELS),
        _key("antecedents", "codes", "Ids or names of what is bought or visited, sorted."),
        _key("consequents", "codes", "Ids or names of what is bought or visited with it, or after it."),
        Column("n_baskets", "int", "Transactions looked at: baskets, windows of customers, or pairs of visits.", low=1),
        Column("support", "double", "Share of the transactions that hold both sides.", low=0, high=1),
        Column("confidence", "double", "Of those that hold the antecedents, the share with both.", low=0, high=1),
        Column("lift", "double", "Confidence over the share that holds the consequents, in all transactions.", low=0),
        Column("leverage", "double", "Support less what it would be, were the sides independent.", low=-1, high=1),
        _opt("conviction", "double", "Failures if independent, over failures; null if the rule never fails.", low=0),
        Column("holdout_lift", "double", "Found over expected among like transactions of the hold-out half.", low=0),
        Column("holdout_lift_low", "double", "Lower end of its 95 % interval over customers.", low=0),
        Column("holdout_lift_high", "double", "Upper end.", low=0),
        Column("q_value", "double", "Least false discovery rate over all rules tested.", low=0, high=1),
        Column("customers", "int", "Customers with a transaction that holds both sides.", low=1),
        _opt("net_amount", "money", "Net amount of those transactions; of a sequence, of the later visit."),
        Column("period_days", "int", "Days that the transactions come from.", low=1),
    ),
)  # fmt: skip

TABLES = (ASSOCIATION_RULES,)
