"""Columns that slices of what is mined have in common."""

from __future__ import annotations

from o2o_mining.contracts.schema import Column

AS_OF = Column("as_of", "date", "Uses only what was known before this UTC day.", key=True)
CUSTOMER = Column("customer_id", "id", "The customer.", key=True)
