"""What may leave the house, and in which form?

Reads the published snapshot: ``segments``, ``targeted_offers``, ``offer_holdouts``, ``customers``, ``consents`` and
``customer_contacts`` for lists of customers, and the tables without customers. Owns no table; writes files for people
and for ad platforms with a manifest beside each.
"""

from __future__ import annotations

from o2o_mining.exports.members import export_segment, reachable_segments
from o2o_mining.exports.moved import export_moved
from o2o_mining.exports.plans import export_offers, export_plan, standing_offers
from o2o_mining.exports.release import FORMATS, ExportReport, Order
from o2o_mining.exports.specs import platforms, read_spec
from o2o_mining.exports.standing import NobodyError
from o2o_mining.exports.tables import export_table, exportable_tables

__all__ = [
    "FORMATS",
    "ExportReport",
    "NobodyError",
    "Order",
    "export_moved",
    "export_offers",
    "export_plan",
    "export_segment",
    "export_table",
    "exportable_tables",
    "platforms",
    "reachable_segments",
    "read_spec",
    "standing_offers",
]
