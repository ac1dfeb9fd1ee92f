"""The pages: one module and one folder of templates for each word of the navigation."""

from __future__ import annotations

from o2o_mining.portal.pages import (
    account,
    admin,
    campaigns,
    customers,
    entrance,
    merchants,
    offers,
    oidc,
    overview,
    quality,
    rules,
    search,
    segments,
)
from o2o_mining.portal.portal import Portal
from o2o_mining.portal.snapshot import Snapshot

ROUTERS = (
    entrance.router,
    oidc.router,
    account.router,
    admin.router,
    overview.router,
    segments.router,
    rules.router,
    offers.router,
    campaigns.router,
    merchants.router,
    quality.router,
    search.router,
    customers.router,
)


def prepare(snapshot: Snapshot) -> None:
    """Do what takes long before anybody sees a snapshot."""
    overview.prepare(snapshot)
    segments.prepare(snapshot)
    offers.prepare(snapshot)


def look_ahead(portal: Portal) -> None:
    """Do what takes longer while the snapshot is already shown: whoever comes later need not wait for it."""
    segments.look_ahead(portal)
    offers.look_ahead(portal)
