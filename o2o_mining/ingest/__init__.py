"""What came in, and can it be trusted?

Reads the files of a source. Owns the canonical feeds, ``customer_contacts``, ``quarantine``,
``data_quality`` and the ledger ``loaded_files``. Every record is accepted, quarantined with its
reason, or a duplicate; nothing is lost.
"""

from o2o_mining.ingest.inputs import Source
from o2o_mining.ingest.sources import source_of
from o2o_mining.ingest.sources.folder import FolderSource

__all__ = ["FolderSource", "Source", "source_of"]
