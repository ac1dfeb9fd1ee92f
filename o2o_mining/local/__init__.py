"""From how far do customers come, where would a new store draw from, whom do customers bring, and is it honest?

Reads ``purchases`` as known before as_of, and the feeds ``customers`` (homes), ``stores`` and ``merchants``. Owns
``store_catchments``, ``distance_decay`` and ``store_sites``.
"""

from __future__ import annotations

from o2o_mining.local.catchments import fit_category
from o2o_mining.local.choice import fit_choice, within_reach
from o2o_mining.local.sites import new_store_draw

__all__ = ["fit_category", "fit_choice", "new_store_draw", "within_reach"]
