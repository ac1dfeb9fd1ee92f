"""Which offer goes to whom, who is held out to measure it, and who gets none and why?

Reads ``response_scores``, ``churn_scores``, ``segments`` and ``merchant_scorecards`` of the day; the feeds
``campaigns``, ``coupons``, ``merchants``, ``customers``, ``consents``, ``assignments``, ``sends``, ``touches``,
``coupon_receipts`` and ``campaign_costs``; and ``purchases`` and ``coupon_lifecycle`` as known before as_of. Owns
``targeted_offers``, ``offer_holdouts``, ``offer_exclusions`` and ``offer_budget_curve``. Approving a plan writes the
feeds ``assignments`` and ``sends`` into the landing folder of the home.
"""

from __future__ import annotations

from o2o_mining.offers.allocation import Allocation, allocate
from o2o_mining.offers.approval import APPROVALS, Approved, approve, read_approvals
from o2o_mining.offers.power import pilot_size
from o2o_mining.offers.reasons import reason_text

__all__ = ["APPROVALS", "Allocation", "Approved", "allocate", "approve", "pilot_size", "read_approvals", "reason_text"]
