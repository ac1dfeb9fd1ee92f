"""What did each campaign and channel bring, in money, with refunds taken off?

Reads ``purchases``, ``journeys`` and ``journey_touches``, whole and as known before as_of, ``coupon_lifecycle`` as
known then, and the feeds ``campaigns``, ``campaign_costs``, ``touches``, ``sends``, ``assignments``, ``merchants``.
Owns ``attribution_ledger``, ``campaign_attribution``, ``incrementality``, ``budget_advice``, ``three_wins``,
``funnel``, ``o2o_b2c``, ``path_summary``, ``path_histograms``, ``channel_transitions`` and ``channel_roles``.

Four questions, each with steps of its own: ``credit`` (who led to a purchase), ``effects`` (what would not have come
otherwise), ``budget`` (where more money would bring most), ``outcomes`` (what the three sides got, where people are
lost).
"""

from __future__ import annotations

from o2o_mining.attribution.credit.paths import attribute, removal_effects

__all__ = ["attribute", "removal_effects"]
