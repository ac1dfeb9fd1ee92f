"""Campaigns and coupons: who advertises when, over which channels, and what is taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, stream
from o2o_mining.simulator.places import PRICES, Places
from o2o_mining.simulator.world import World

# Main channels of campaigns: what one contact adds of the type's effect, and what it costs.
CHANNELS = ("sms", "push", "email", "social", "display", "affiliate")
DOSE = np.array([1.0, 0.85, 0.7, 0.75, 0.4, 0.65])
CONTACT_COST = np.array([6, 1, 2, 8, 4, 12])  # hundredths of the currency
SECOND_DOSE_SHARE = 0.5
WINDOW_DAYS = 14
STANDING_DAYS = 30
KINDS = ("rate", "threshold", "fixed")


@dataclass(frozen=True)
class Offers:
    """Coupons as arrays: those of the campaigns first, in the order of their start, then one a merchant."""

    campaigns: int
    start: Array
    main: Array
    second: Array
    randomised: Array
    merchant: Array
    kind: Array
    threshold: Array
    discount: Array
    share: Array
    valid_days: Array

    def taken_off(self, coupon: Array, amount: Array) -> Array:
        """Return the discount in hundredths of coupons on amounts in hundredths."""
        share = np.round(amount * self.discount[coupon])
        money = np.round(self.discount[coupon] * 100)
        return np.minimum(np.where(self.kind[coupon] == 0, share, money), amount).astype(np.int64)


def build_offers(world: World, places: Places) -> Offers:
    """Draw a campaign every 20 days, the last ones still running at the end, and every merchant's standing coupon."""
    chance = stream(world.seed, "offers")
    count, merchants = max(6, round(world.days / 20)), len(places.merchant_city)
    starts = np.linspace(20, world.days - 8, count).astype(np.int64) * DAY
    pull = np.bincount(places.store_merchant, weights=places.store_pull) * (places.merchant_opened < 0)
    advertised = chance.choice(merchants, count, p=pull / pull.sum())
    main = chance.integers(0, len(CHANNELS), count)
    second = (main + chance.integers(1, len(CHANNELS), count)) % len(CHANNELS)
    randomised = chance.random(count) < world.parameters.randomised_share
    randomised[:2] = (True, False)  # both sorts in every world
    merchant = np.concatenate([advertised, np.arange(merchants)])
    kind = chance.integers(0, 3, len(merchant))
    share = np.round(chance.uniform(0.1, 0.5, len(merchant)), 2)
    price = PRICES[places.merchant_category[merchant]] * places.merchant_price[merchant]
    threshold = np.ceil(2 * price)
    discount = np.where(kind == 0, share, np.maximum(np.ceil(np.where(kind == 1, threshold, 2 * price) * share), 1))
    return Offers(
        campaigns=count,
        start=starts,
        main=main,
        second=second,
        randomised=randomised,
        merchant=merchant,
        kind=kind,
        threshold=threshold,
        discount=discount,
        share=share,
        valid_days=np.where(np.arange(len(merchant)) < count, WINDOW_DAYS, STANDING_DAYS),
    )
