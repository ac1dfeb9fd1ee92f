"""What did each campaign and channel bring, in money, with refunds taken off?

Reads ``purchases``, ``journeys`` and ``journey_touches``, whole and as known before as_of, and the feeds ``campaigns``,
``campaign_costs`` and ``touches``. Owns ``attribution_ledger`` and ``campaign_attribution``.
"""

from __future__ import annotations

from o2o_mining.attribution.paths import attribute

__all__ = ["attribute"]
