"""From how far do customers come, where would a new store draw from, whom do customers bring, and is it honest?

Reads ``purchases`` and ``coupon_lifecycle`` as known before as_of, and the feeds ``customers`` (homes, who brought
whom), ``stores``, ``merchants``, and ``coupon_redemptions``, ``offline_redemptions``, ``online_orders`` (which
receipts uses name).
Owns ``store_catchments``, ``distance_decay``, ``store_sites``, ``coupon_forensics``, ``referrals`` and
``referral_rates``.
"""

from __future__ import annotations

from o2o_mining.local.catchments import fit_category
from o2o_mining.local.choice import fit_choice, within_reach
from o2o_mining.local.evidence import evidence_text
from o2o_mining.local.forensics import coupon_findings
from o2o_mining.local.sites import new_store_draw

__all__ = ["coupon_findings", "evidence_text", "fit_category", "fit_choice", "new_store_draw", "within_reach"]
