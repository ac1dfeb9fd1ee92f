"""What do marketers and merchants see of what is published?

Web pages and an API over the published snapshot of a home, also while a run is going on. Reads whatever tables its
pages show; owns no table. What it keeps itself (users, sessions, the audit log) lies in ``portal/portal.sqlite`` of
the home. How to add a page stands in ``docs/portal.md``.
"""

from __future__ import annotations

from o2o_mining.portal.access import Access
from o2o_mining.portal.app import make_app

__all__ = ["Access", "make_app"]
