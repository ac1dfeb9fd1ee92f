"""How near are the estimates? One module a room, which reads the room's tables and the truth by name."""

from o2o_mining.simulator.comparisons import (
    association,
    attribution,
    demand,
    ingest,
    lifecycle,
    local,
    marts,
    merchants,
    offers,
    response,
    segmentation,
)

# In the order in which the rooms work.
COMPARISONS = (
    ingest.compare,
    marts.compare,
    segmentation.compare,
    association.compare,
    lifecycle.compare,
    response.compare,
    offers.compare,
    attribution.compare,
    merchants.compare,
    local.compare,
    demand.compare,
)

__all__ = ["COMPARISONS"]
