"""What was bought at each visit: products by popularity, and pairs, triples and sequences that were planted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, running, stream
from o2o_mining.simulator.places import CATEGORIES, PRICES, Places
from o2o_mining.simulator.visits import Visits
from o2o_mining.simulator.world import World

PRODUCTS = 40  # a category
POPULARITY = 0.9  # exponent of Zipf's law
# Within every category, the first brings the second with the chance `affinity`; the third row needs both of the first.
PAIRS = ((2, 11), (5, 17), (8, 23))
TRIPLE = (2, 11, 29)
# The first brings the second into the basket of the customer's next visit in the category, if it comes in time.
SEQUENCES = ((1, 14), (3, 21))
SEQUENCE_DAYS = 30


@dataclass(frozen=True)
class Baskets:
    """Lines by visit and product; ``amount`` and the visits' ``total`` in hundredths."""

    visit: Array
    product: Array
    quantity: Array
    amount: Array
    total: Array


def product_prices(world: World) -> Array:
    """Return the price of every product before the merchant's level, shape (categories * products,)."""
    chance = stream(world.seed, "products")
    spread = np.exp(chance.normal(0.0, 0.5, (len(CATEGORIES), PRODUCTS)))
    return np.asarray((PRICES[:, None] * spread).ravel())


def fill_baskets(world: World, places: Places, visits: Visits, least: Array) -> Baskets:
    """Draw the lines of every visit; ``least`` hundredths a basket must cost, or the first line grows until it does."""
    chance = stream(world.seed, "baskets")
    share = 1.0 / np.arange(1, PRODUCTS + 1) ** POPULARITY
    count = 1 + np.minimum(chance.poisson(0.6, len(visits)), 5)
    visit = np.repeat(np.arange(len(visits)), count)
    place = np.searchsorted(np.cumsum(share / share.sum()), chance.random(len(visit))).clip(0, PRODUCTS - 1)
    keys = np.unique(visit * PRODUCTS + place)
    for first, second in PAIRS:
        keys = _brought(chance, keys, (first,), second, world.parameters.affinity)
    keys = _brought(chance, keys, TRIPLE[:2], TRIPLE[2], world.parameters.affinity)
    for earlier, later in SEQUENCES:
        keys = _followed(chance, keys, places, visits, earlier, later, world.parameters.affinity)
    visit, place = keys // PRODUCTS, keys % PRODUCTS
    merchant = visits.merchant[visit]
    product = places.merchant_category[merchant] * PRODUCTS + place
    price = np.maximum(np.round(product_prices(world)[product] * places.merchant_price[merchant] * 100), 50)
    quantity = 1 + (chance.random(len(visit)) < 0.1)
    amount = (price * quantity).astype(np.int64)
    total = np.bincount(visit, weights=amount, minlength=len(visits)).astype(np.int64)
    first_line = np.flatnonzero(running(np.bincount(visit, minlength=len(visits))) == 0)
    more = np.ceil(np.maximum(least - total, 0) / price[first_line]).astype(np.int64)
    quantity[first_line] += more
    amount[first_line] += (more * price[first_line]).astype(np.int64)
    return Baskets(visit, product, quantity, amount, total + (more * price[first_line]).astype(np.int64))


def _followed(
    chance: np.random.Generator, keys: Array, places: Places, visits: Visits, earlier: int, later: int, affinity: float
) -> Array:
    """Add a product to the next basket in the category of those who had another, if that visit comes in time."""
    category = places.merchant_category[visits.merchant]
    order = np.lexsort((np.arange(len(visits)), visits.at, category, visits.customer))
    now, then = order[:-1], order[1:]
    follows = (visits.customer[now] == visits.customer[then]) & (category[now] == category[then])
    follows &= visits.at[then] - visits.at[now] <= SEQUENCE_DAYS * DAY
    has: Array = np.zeros(len(visits), dtype=bool)
    has[keys[keys % PRODUCTS == earlier] // PRODUCTS] = True
    next_visits = then[follows & has[now]]
    next_visits = next_visits[chance.random(len(next_visits)) < affinity]
    return np.asarray(np.union1d(keys, next_visits * PRODUCTS + later))


def _brought(chance: np.random.Generator, keys: Array, need: tuple[int, ...], second: int, affinity: float) -> Array:
    """Add a product to the baskets that hold all it follows, with the chance of the affinity."""
    place = keys % PRODUCTS
    holders = keys[place == need[0]] // PRODUCTS
    for other in need[1:]:
        holders = np.intersect1d(holders, keys[place == other] // PRODUCTS)
    holders = holders[chance.random(len(holders)) < affinity]
    return np.asarray(np.union1d(keys, holders * PRODUCTS + second))
