"""Who are the customers, and which of them belong together?

Reads ``purchases`` and ``customers`` as known before as_of. Owns ``segments`` and ``segment_profiles``.
"""

from __future__ import annotations

from o2o_mining.segmentation.names import segment_advice, segment_codes, segment_name
from o2o_mining.segmentation.rfm import rfm_scores

__all__ = ["rfm_scores", "segment_advice", "segment_codes", "segment_name"]
