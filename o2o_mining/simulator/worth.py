"""What a visit is worth: expected baskets of every merchant, with its coupons and without, by draws of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.baskets import fill_baskets
from o2o_mining.simulator.chance import Array
from o2o_mining.simulator.offers import Offers
from o2o_mining.simulator.places import Places
from o2o_mining.simulator.visits import WALK_IN, Visits
from o2o_mining.simulator.world import World

DRAWS = 1_000  # baskets a coupon


@dataclass(frozen=True)
class Worth:
    """Expected hundredths, shape (coupons,): what is bought without the coupon, with it, and what it takes off."""

    without: Array
    bought: Array
    taken_off: Array


def expected_worth(world: World, places: Places, offers: Offers) -> Worth:
    """Draw baskets for every coupon; the error of each mean is a fiftieth of it or less."""
    count = len(offers.merchant)
    coupon = np.repeat(np.arange(count), DRAWS)
    visits = _one_each(places, offers.merchant[coupon])
    least = np.where(offers.kind == 1, offers.threshold * 100, 0).astype(np.int64)[coupon]
    plain = fill_baskets(world, places, visits, np.zeros(len(coupon), dtype=np.int64)).total
    bought = np.maximum(plain, fill_baskets(world, places, visits, least).total)

    def mean(amount: Array) -> Array:
        return np.asarray(amount.reshape(count, DRAWS).mean(axis=1))

    return Worth(mean(plain), mean(bought), mean(offers.taken_off(coupon, bought)))


def _one_each(places: Places, merchant: Array) -> Visits:
    """Return a visit by a new customer to each merchant given."""
    store = np.searchsorted(places.store_merchant, merchant)
    number, never = np.arange(len(merchant)), np.zeros(len(merchant), dtype=bool)
    nothing = np.zeros(len(merchant))
    return Visits(
        customer=number, at=number * 0, store=store, merchant=merchant, unit=number * 0 - 1,
        kind=np.full(len(merchant), WALK_IN), no_show=never, waited_min=nothing, bad=never,
    )  # fmt: skip
