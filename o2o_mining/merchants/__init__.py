"""Was what was promised online delivered in the store, and which merchants' offers must wait until it is?

Reads ``purchases`` and ``coupon_lifecycle`` as known before as_of, and the feeds ``online_orders`` (promises),
``reviews``, ``merchants``, ``customers`` (who brought whom), ``campaigns``, ``campaign_costs`` and ``touches`` (costs).
Owns ``merchant_scorecards``, ``promise_gaps``, ``merchant_changes``, ``merchant_actions`` and ``bad_visit_costs``.
"""

from __future__ import annotations

from o2o_mining.merchants.changes import log_bets, watch
from o2o_mining.merchants.gaps import between_variance, promise_gaps
from o2o_mining.merchants.reasons import reason_text
from o2o_mining.merchants.rules import decide, read_judging
from o2o_mining.merchants.standards import standardised
from o2o_mining.merchants.word_of_mouth import bad_visit_costs

__all__ = [
    "bad_visit_costs",
    "between_variance",
    "decide",
    "log_bets",
    "promise_gaps",
    "read_judging",
    "reason_text",
    "standardised",
    "watch",
]
