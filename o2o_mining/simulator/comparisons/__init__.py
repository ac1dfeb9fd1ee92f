"""How near are the estimates? One module a room, which reads the room's tables and the truth by name."""

from o2o_mining.simulator.comparisons import (
    association,
    attribution,
    demand,
    ingest,
    lifecycle,
    marts,
    segmentation,
)

# In the order in which the rooms work.
COMPARISONS = (
    ingest.compare,
    marts.compare,
    segmentation.compare,
    association.compare,
    lifecycle.compare,
    attribution.compare,
    demand.compare,
)

__all__ = ["COMPARISONS"]
