"""The part of the main job that offers need: feeds, purchases, coupons, and what was known of them before the day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from o2o_mining.ingest.steps import load_feeds
from o2o_mining.marts.event_steps import build_coupon_lifecycle, build_purchases
from o2o_mining.marts.steps import build_known
from pipelines.house import House, open_house


@contextmanager
def loaded(feeds: Path, home: Path) -> Iterator[House]:
    """Load a folder of feeds into a home, once, and open it.

    Left out is what a plan of offers can do without: journeys, segments, churn and scorecards. So no merchant's offers
    wait for its promise gap, and what a customer brings later counts for nothing.
    """
    with open_house("folder", feeds, home, lambda _: None) as house:
        if house.now is None or house.now not in house.engine.slices("known_purchases"):
            load_feeds(house.engine, house.sources)
            if house.now is None:
                raise SystemExit(f"{feeds} has no order and no redemption")
            build_purchases(house.engine)
            build_coupon_lifecycle(house.engine, now=house.now)
            build_known(house.engine, as_of=house.now, settings=house.settings)
        yield house
