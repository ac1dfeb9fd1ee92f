"""Who are the customers, and which of them belong together?

Reads ``purchases``, ``customers``, ``merchants`` and ``stores`` as known before as_of, and ``customer_features``. Owns
``segments``, ``segment_profiles``, ``segment_migration`` and ``cluster_centres``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from o2o_mining.segmentation.clusters import assign_clusters
from o2o_mining.segmentation.lifecycle import lifecycle_stages
from o2o_mining.segmentation.names import segment_advice, segment_codes, segment_name
from o2o_mining.segmentation.rfm import rfm_scores
from o2o_mining.segmentation.rules import read_rules
from o2o_mining.segmentation.traits import profile_text
from o2o_mining.segmentation.words import namer

if TYPE_CHECKING:
    from o2o_mining.segmentation.behaviour import BehaviourSegmenter

__all__ = [
    "BehaviourSegmenter",
    "assign_clusters",
    "lifecycle_stages",
    "namer",
    "profile_text",
    "read_rules",
    "rfm_scores",
    "segment_advice",
    "segment_codes",
    "segment_name",
]


def __getattr__(name: str) -> Any:
    """Import the segmenter when it is asked for: scikit-learn takes seconds, and most commands fit nothing."""
    if name == "BehaviourSegmenter":
        from o2o_mining.segmentation.behaviour import BehaviourSegmenter

        return BehaviourSegmenter
    raise AttributeError(f"module {__name__} has no attribute {name}")
