"""What demand comes, and how does the market stand?

Reads ``purchases`` as known before as_of and the feeds ``merchants`` and ``campaigns``. Owns ``demand_forecast`` and
``market_analysis``.
"""

from __future__ import annotations

from o2o_mining.demand.forecasting import forecast
from o2o_mining.demand.market import compound_growth

__all__ = ["compound_growth", "forecast"]
