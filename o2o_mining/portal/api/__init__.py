"""The same as on the pages for programs: JSON by token, described by OpenAPI."""

from __future__ import annotations

from o2o_mining.portal.api.routes import router

__all__ = ["router"]
