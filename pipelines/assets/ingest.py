"""Feeds, what was rejected, what each file brought, and how customers can be reached."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import dagster as dg

from o2o_mining.contracts.catalogue import tables
from o2o_mining.contracts.schema import Kind
from o2o_mining.engine.base import StepReport
from o2o_mining.ingest.steps import build_customer_contacts, build_data_quality, load_feeds, report_quarantine
from o2o_mining.marts.steps import traced_share
from pipelines.assets import table_assets
from pipelines.house import House

FEEDS = [table.name for table in tables(Kind.FEED)]


def _feeds(house: House, _: date) -> Iterable[StepReport]:
    return load_feeds(house.engine, house.sources, progress=house.say).values()


def _quality(house: House, _: date) -> StepReport:
    return build_data_quality(house.engine, traced_share=traced_share(house.engine, settings=house.settings))


def assets() -> list[dg.AssetsDefinition]:
    """Return the assets of this room."""
    return [
        table_assets({feed: [] for feed in FEEDS}, _feeds, name="feeds"),
        table_assets({"quarantine": FEEDS}, lambda house, _: report_quarantine(house.engine), name="quarantine"),
        table_assets(
            {"customer_contacts": ["customers"]},
            lambda house, _: build_customer_contacts(house.engine),
            name="customer_contacts",
        ),
        table_assets({"data_quality": [*FEEDS, "purchases", "coupon_lifecycle"]}, _quality, name="data_quality"),
    ]
