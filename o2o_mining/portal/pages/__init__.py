"""The pages: one module and one folder of templates for each word of the navigation."""

from __future__ import annotations

from o2o_mining.portal.pages import account, admin, entrance, offers, overview, segments

ROUTERS = (
    entrance.router,
    account.router,
    admin.router,
    overview.router,
    segments.router,
    offers.router,
)
