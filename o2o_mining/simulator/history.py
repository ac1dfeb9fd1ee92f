"""A whole world in arrays, before anything is written: every subject in the order in which it depends on others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.baskets import Baskets, fill_baskets
from o2o_mining.simulator.chance import DAY, Array, stream
from o2o_mining.simulator.offers import Offers, build_offers
from o2o_mining.simulator.people import People, build_people
from o2o_mining.simulator.places import Places, build_places
from o2o_mining.simulator.responses import Units, respond
from o2o_mining.simulator.service import judge
from o2o_mining.simulator.visits import DELIVERY, WALK_IN, Visits, build_visits
from o2o_mining.simulator.world import World

LEAD_SECONDS = (1_800, 64_800)  # how long before a visit its order is placed; below the day before an occasion


@dataclass(frozen=True)
class History:
    """What happened in a world. Arrays over visits: ``coupon`` (-1 for none) to ``refunded_at``."""

    world: World
    places: Places
    people: People
    offers: Offers
    units: Units
    visits: Visits
    baskets: Baskets
    coupon: Array
    ordered_at: Array
    discount: Array
    reviewed: Array
    rating: Array
    complaint: Array
    refunded: Array
    refunded_at: Array

    @property
    def campaign_units(self) -> int:
        """How many units belong to campaigns: they stand first."""
        return int((self.units.coupon < self.offers.campaigns).sum())

    @property
    def ordered(self) -> Array:
        """Whether a visit was ordered online."""
        return np.asarray(self.visits.kind != WALK_IN)

    @property
    def came(self) -> Array:
        """Whether a visit took place in the store."""
        return np.asarray((self.visits.kind != DELIVERY) & ~self.visits.no_show)

    @property
    def given_out(self) -> Array:
        """Whether a unit's offer reached its customer within the log."""
        return np.asarray(self.units.exposed & (self.units.received_at < self.world.days * DAY))

    @property
    def bought_at(self) -> Array:
        """When a visit was paid for: when it was ordered, else when it took place."""
        return np.where(self.ordered, self.ordered_at, self.visits.at)


def live(world: World) -> History:
    """Let a world happen."""
    places = build_places(world)
    people = build_people(world, places)
    offers = build_offers(world, places)
    units = respond(world, places, people, offers)
    visits = build_visits(world, places, people, units)
    chance = stream(world.seed, "history")
    coupon = np.where((visits.unit >= 0) & units.exposed[visits.unit], units.coupon[visits.unit], -1)
    least = np.where((coupon >= 0) & (offers.kind[coupon] == 1), offers.threshold[coupon] * 100, 0)
    baskets = fill_baskets(world, places, visits, least.astype(np.int64))
    lead = chance.integers(*LEAD_SECONDS, len(visits))
    before = np.maximum(visits.at - lead, np.maximum(people.joined[visits.customer], 0))
    ordered_at = np.where(visits.kind == DELIVERY, visits.at, before)
    felt = judge(world, places, visits.merchant, np.where(visits.kind == DELIVERY, 0.0, visits.waited_min))
    refunded_at = visits.at + chance.integers(DAY, 6 * DAY, len(visits))
    return History(
        world=world, places=places, people=people, offers=offers, units=units, visits=visits, baskets=baskets,
        coupon=coupon, ordered_at=ordered_at,
        discount=np.where(coupon >= 0, offers.taken_off(coupon, baskets.total), 0),
        reviewed=felt["reviewed"] & ~visits.no_show, rating=felt["rating"],
        complaint=felt["complaint"] & ~visits.no_show, refunded=felt["refunded"] & ~visits.no_show,
        refunded_at=refunded_at,
    )  # fmt: skip
