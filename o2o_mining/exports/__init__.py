"""What may leave the house, and in which form?

Reads the published snapshot: ``segments``, ``customers`` and ``consents`` for lists of customers, and the tables
without customers. Owns no table; writes files with a manifest beside each.
"""

from __future__ import annotations

from o2o_mining.exports.headings import LANGUAGES
from o2o_mining.exports.members import export_segment, reachable_segments
from o2o_mining.exports.moved import export_moved
from o2o_mining.exports.release import FORMATS, ExportReport, Order
from o2o_mining.exports.tables import export_table, exportable_tables

__all__ = [
    "FORMATS",
    "LANGUAGES",
    "ExportReport",
    "Order",
    "export_moved",
    "export_segment",
    "export_table",
    "exportable_tables",
    "reachable_segments",
]
