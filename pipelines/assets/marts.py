"""Purchases, journeys, coupons and features: as they are, and as they were known before a day."""

from __future__ import annotations

from datetime import date

import dagster as dg

from o2o_mining.marts import event_steps, steps
from o2o_mining.marts.knowledge import OWN_TIME
from o2o_mining.marts.restatements import TOLD
from pipelines.assets import Days, table_assets
from pipelines.house import House

_LOGS = ["online_orders", "offline_redemptions", "coupon_redemptions", "coupons"]
_CONTACTS = ["touches", "sends", "coupon_receipts", "campaigns"]
_EVENTS = ["purchases", "journey_touches", "journeys", "coupon_lifecycle"]
_KNOWN = ["known_purchases", "known_journey_touches", "known_journeys", "known_coupon_lifecycle", "known_customers"]
_FEEDS_OF_FEATURES = ["touches", "sends", "customers", "reviews", "merchants", "stores"]
_KNOWN_OF_FEATURES = ["known_purchases", "known_journey_touches", "known_coupon_lifecycle", "known_customers"]


def _now(house: House, day: date) -> date:
    """Return the present of the event tables: without any order or redemption it is the day of the run."""
    return house.now or day


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of this room.

    Parameters
    ----------
    days
        The partitions of what is mined.
    """
    # Where nothing is later than the day, the event tables stand for themselves.
    known_from = [*sorted({*_LOGS, *_CONTACTS, *OWN_TIME}), *_EVENTS]
    return [
        table_assets(
            {"purchases": _LOGS}, lambda house, _: event_steps.build_purchases(house.engine), name="purchases"
        ),
        table_assets(
            {"journey_touches": ["purchases", *_CONTACTS]},
            lambda house, day: event_steps.build_journey_touches(
                house.engine, now=_now(house, day), settings=house.settings
            ),
            name="journey_touches",
        ),
        table_assets(
            {"journeys": ["purchases", "journey_touches"]},
            lambda house, _: event_steps.build_journeys(house.engine),
            name="journeys",
        ),
        table_assets(
            {"coupon_lifecycle": [*_LOGS, "coupon_receipts"]},
            lambda house, day: event_steps.build_coupon_lifecycle(house.engine, now=_now(house, day)),
            name="coupon_lifecycle",
        ),
        table_assets(
            dict.fromkeys(_KNOWN, known_from),
            lambda house, day: steps.build_known(house.engine, as_of=day, settings=house.settings),
            name="known",
            days=days,
        ),
        table_assets(
            {"customer_features": [*_FEEDS_OF_FEATURES, *_KNOWN_OF_FEATURES]},
            lambda house, day: steps.build_customer_features(house.engine, as_of=day, settings=house.settings),
            name="customer_features",
            days=days,
        ),
        table_assets(
            {"past_features": [*_FEEDS_OF_FEATURES, *_KNOWN_OF_FEATURES]},
            lambda house, day: steps.build_past_features(house.engine, as_of=day, settings=house.settings),
            name="past_features",
            days=days,
        ),
        table_assets(
            {"restatements": list(TOLD)},
            lambda house, day: steps.build_restatements(
                house.engine, as_of=day, snapshots=house.home / "snapshots", settings=house.settings
            ),
            name="restatements",
            days=days,
        ),
    ]
