"""Campaigns and coupons: who advertises when, over which channels, and what is taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, stream
from o2o_mining.simulator.places import PRICES, Places
from o2o_mining.simulator.world import World

# Main channels of campaigns: what one contact adds of the type's effect, and what it costs.
CHANNELS = ("sms", "push", "email", "social", "display", "affiliate")
OWNED = 3  # the first channels take lists of customers
DOSE = np.array([1.0, 1.0, 1.0, 0.8, 0.45, 0.65])
CONTACT_COST = np.array([6, 1, 2, 8, 4, 12])  # hundredths of the currency
SECOND_DOSE_SHARE = 0.2
SHARES_OFF = (0.15, 0.45)  # of a usual basket
WINDOW_DAYS = 14
STANDING_DAYS = 30
PLANNED = 3
KINDS = ("rate", "threshold", "fixed")


@dataclass(frozen=True)
class Offers:
    """Coupons as arrays: those of the campaigns first, in the order of their start, then one a merchant.

    The first ``announced`` campaigns are known when the log ends.
    """

    campaigns: int
    announced: int
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
    """Draw a campaign every 20 days, before the log's end and after it, and every merchant's standing coupon.

    The last one before the end is still running then, and three more are to start with the first day after the log:
    they are announced, and nobody has been asked yet.
    """
    chance = stream(world.seed, "offers")
    merchants = len(places.merchant_city)
    past = np.linspace(20, world.days - 8, max(6, round(world.days / 20))).astype(np.int64)
    later = np.arange(world.days + 12, world.lived_days, 20)
    starts = np.concatenate([past, np.full(PLANNED, world.days), later]) * DAY
    count = len(starts)
    pull = np.bincount(places.store_merchant, weights=places.store_pull) * (places.merchant_opened < 0)
    advertised = chance.choice(merchants, count, p=pull / pull.sum())
    main = chance.integers(0, len(CHANNELS), count)
    main[len(past) : len(past) + PLANNED] %= OWNED
    second = (main + chance.integers(1, len(CHANNELS), count)) % len(CHANNELS)
    randomised = chance.random(count) < world.parameters.randomised_share
    randomised[:2] = (True, False)  # both sorts in every world
    merchant = np.concatenate([advertised, np.arange(merchants)])
    kind = chance.integers(0, 3, len(merchant))
    share = np.round(chance.uniform(*SHARES_OFF, len(merchant)), 2)
    price = PRICES[places.merchant_category[merchant]] * places.merchant_price[merchant]
    # What a threshold adds to small baskets is worth less than the discount: a sure thing never pays for its coupon.
    threshold = np.ceil(price)
    discount = np.where(kind == 0, share, np.maximum(np.ceil(2 * price * share), 1))
    return Offers(
        campaigns=count,
        announced=len(past) + PLANNED,
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


def known_coupons(offers: Offers) -> Array:
    """Return the coupons that are announced when the log ends: of campaigns, then the standing ones."""
    number = np.arange(len(offers.merchant))
    return number[(number < offers.announced) | (number >= offers.campaigns)]
