"""Who is leaving, how often will customers buy, and what is each of them worth?

Reads ``purchases`` as known before as_of, ``customer_features`` and ``past_features``. Owns ``churn_scores``,
``churn_quality`` and ``customer_cohorts``.
"""

from __future__ import annotations

from o2o_mining.lifecycle.beta_geo import BetaGeoNBD
from o2o_mining.lifecycle.churn import ChurnModel
from o2o_mining.lifecycle.gamma_gamma import GammaGamma
from o2o_mining.lifecycle.leaving import LeavingProcess
from o2o_mining.lifecycle.modified_beta_geo import ModifiedBetaGeoNBD
from o2o_mining.lifecycle.reasons import reason_text
from o2o_mining.lifecycle.value import ValueModel
from o2o_mining.lifecycle.visits import Visits

__all__ = [
    "BetaGeoNBD",
    "ChurnModel",
    "GammaGamma",
    "LeavingProcess",
    "ModifiedBetaGeoNBD",
    "ValueModel",
    "Visits",
    "reason_text",
]
