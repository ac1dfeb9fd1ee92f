"""Who redeems which coupon, and whom does it move?

Reads ``purchases`` and ``coupon_lifecycle`` as known before as_of, and the feeds. Owns ``response_scores`` and
``response_quality``.
"""

from __future__ import annotations

from o2o_mining.response.features import Evidence, evidence, pair_features
from o2o_mining.response.logs import OfferLogs
from o2o_mining.response.qini import qini_coefficient, qini_curve, uplift_at_k
from o2o_mining.response.quality import redemption_quality
from o2o_mining.response.reasons import reason_text
from o2o_mining.response.redemption import RedemptionModel
from o2o_mining.response.uplift import UpliftModel

__all__ = [
    "Evidence",
    "OfferLogs",
    "RedemptionModel",
    "UpliftModel",
    "evidence",
    "pair_features",
    "qini_coefficient",
    "qini_curve",
    "reason_text",
    "redemption_quality",
    "uplift_at_k",
]
