"""Who are the customers, and which of them belong together?

Reads ``purchases`` as known before as_of, ``customers``, and, where no ``customers`` came, the ids in ``touches``,
``coupon_receipts`` and ``sends``. Owns ``segments`` and ``segment_profiles``.
"""

from __future__ import annotations

from o2o_mining.segmentation.names import segment_advice, segment_codes, segment_name
from o2o_mining.segmentation.rfm import rfm_scores

__all__ = ["rfm_scores", "segment_advice", "segment_codes", "segment_name"]
