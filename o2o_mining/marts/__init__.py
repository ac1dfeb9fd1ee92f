"""What happened, online and in the stores, put together once for all rooms?

Reads the feeds. Owns ``purchases``, ``journeys``, ``journey_touches``, ``coupon_lifecycle``, the same as known before a
day (``known_*``), and ``customer_features``; reckons the traced share for ``data_quality``. Everything but the
steps is a pure Ibis expression that compiles for DuckDB and for Spark.

Public names: `purchases_from_logs`, `all_touches`, `carried_codes`, `journey_touches`, `journeys_from_touches`,
`coupon_uses`, `coupon_states`, `traced_purchases`, `share_traced`, `known_rows`, `customers_seen`,
`KnownLogs`, `customer_features`, `lacking`, `leaks`, `leak_guard`; the steps are in `o2o_mining.marts.steps`.
"""

from o2o_mining.marts.coupon_lifecycle import coupon_states, coupon_uses
from o2o_mining.marts.features import KnownLogs, customer_features, customers_seen, lacking
from o2o_mining.marts.guard import leak_guard, leaks
from o2o_mining.marts.journeys import journey_touches, journeys_from_touches
from o2o_mining.marts.knowledge import known_rows
from o2o_mining.marts.purchases import purchases_from_logs
from o2o_mining.marts.touches import all_touches, carried_codes
from o2o_mining.marts.tracing import share_traced, traced_purchases

__all__ = [
    "KnownLogs",
    "all_touches",
    "carried_codes",
    "coupon_states",
    "coupon_uses",
    "customer_features",
    "customers_seen",
    "journey_touches",
    "journeys_from_touches",
    "known_rows",
    "lacking",
    "leak_guard",
    "leaks",
    "purchases_from_logs",
    "share_traced",
    "traced_purchases",
]
