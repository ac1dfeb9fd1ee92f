"""Cities, the blocks people live in, merchants and their stores, and which store a visit goes to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from o2o_mining.simulator.chance import DAY, Array, pick, stream
from o2o_mining.simulator.world import World

CITIES = ("Linhai", "Dongpu", "Xishan")
CITY_SHARES = np.array([0.5, 0.3, 0.2])
CENTRES = np.array([[25.03, 121.54], [24.15, 120.67], [22.63, 120.30]])
CATEGORIES = ("restaurant", "cafe", "hotpot", "hair", "spa", "cinema", "fitness", "bakery")
# Share of all visits, fall of the odds of a store with every kilometre, and typical price of one product.
CATEGORY_SHARES = np.array([0.27, 0.18, 0.13, 0.09, 0.06, 0.08, 0.07, 0.12])
DECAY_PER_KM = np.array([0.55, 1.1, 0.4, 0.45, 0.3, 0.25, 0.8, 1.3])
PRICES = np.array([28.0, 9.0, 40.0, 55.0, 90.0, 22.0, 30.0, 8.0])
BLOCKS = 400  # a city's homes lie in so many blocks, on a square grid
KM_PER_DEGREE = 111.2


@dataclass(frozen=True)
class Places:
    """Everything that has an address, as arrays; a store or merchant is its index."""

    block_city: Array
    block_lat: Array
    block_lon: Array
    block_weight: Array
    block_out_km: Array
    merchant_city: Array
    merchant_category: Array
    merchant_price: Array
    merchant_margin: Array
    merchant_commission: Array
    merchant_opened: Array
    merchant_promise_min: Array
    merchant_promise_rating: Array
    merchant_bad_from: Array
    store_merchant: Array
    store_lat: Array
    store_lon: Array
    store_pull: Array
    distance_km: Array

    def choose_stores(self, blocks: Array, categories: Array, uniform: Array) -> Array:
        """Draw a store for each visit: odds ``pull * exp(-decay * distance)`` in the customer's city and category."""
        chosen = np.zeros(len(blocks), dtype=np.int64)
        cities = self.block_city[blocks]
        stores_city = self.merchant_city[self.store_merchant]
        stores_category = self.merchant_category[self.store_merchant]
        for city in range(len(CITIES)):
            rows = np.flatnonzero(self.block_city == city)
            for category in range(len(CATEGORIES)):
                stores = np.flatnonzero((stores_city == city) & (stores_category == category))
                visits = np.flatnonzero((cities == city) & (categories == category))
                if len(visits):
                    cumulative = np.cumsum(self.shares(rows, stores), axis=1)
                    chosen[visits] = stores[pick(cumulative, blocks[visits] - rows[0], uniform[visits])]
        return chosen

    def choose_open_stores(self, chance: np.random.Generator, blocks: Array, categories: Array, at: Array) -> Array:
        """Draw stores among those open: what falls on a closed one is drawn again, which keeps the other odds."""
        store = np.zeros(len(blocks), dtype=np.int64)
        again = np.arange(len(blocks))
        while len(again):
            store[again] = self.choose_stores(blocks[again], categories[again], chance.random(len(again)))
            again = again[self.merchant_opened[self.store_merchant[store[again]]] > at[again]]
        return store

    @cached_property
    def merchant_shares(self) -> Array:
        """Share of each merchant in the visits of its category from each block, shape (blocks, merchants)."""
        found = np.zeros((len(self.block_city), len(self.merchant_city)))
        city, category = self.merchant_city[self.store_merchant], self.merchant_category[self.store_merchant]
        for c, g in product(range(len(CITIES)), range(len(CATEGORIES))):
            blocks, stores = np.flatnonzero(self.block_city == c), np.flatnonzero((city == c) & (category == g))
            of_merchant = self.store_merchant[stores][:, None] == np.arange(len(self.merchant_city))
            found[blocks] += self.shares(blocks, stores) @ of_merchant
        return found

    def shares(self, blocks: Array, stores: Array) -> Array:
        """Return the share of each store in the visits from each block, shape (blocks, stores)."""
        decay = DECAY_PER_KM[self.merchant_category[self.store_merchant[stores]]]
        odds = self.store_pull[stores] * np.exp(-decay * self.distance_km[np.ix_(blocks, stores)])
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def nearest_store(self, merchant: int) -> Array:
        """Return for every block the merchant's nearest store."""
        stores = np.flatnonzero(self.store_merchant == merchant)
        return np.asarray(stores[np.argmin(self.distance_km[:, stores], axis=1)])


def build_places(world: World) -> Places:
    """Make the places of a world; their number grows with the root of the number of customers."""
    chance = stream(world.seed, "places")
    block = _blocks()
    count = max(24, round(9 * (world.customers / 100) ** 0.5))
    # Every city has every category, the rest as people visit.
    city = np.concatenate([np.repeat(np.arange(3), 8), chance.choice(3, count - 24, p=CITY_SHARES)])
    category = np.concatenate([np.tile(np.arange(8), 3), chance.choice(8, count - 24, p=CATEGORY_SHARES)])
    stores = 1 + np.minimum(chance.poisson(0.9, count), 5)
    merchant = np.repeat(np.arange(count), stores)
    centre = CENTRES[city[merchant]]
    offset = chance.normal(0.0, 2.2, (len(merchant), 2)) / KM_PER_DEGREE
    lat = np.round(centre[:, 0] + offset[:, 0], 5)
    lon = np.round(centre[:, 1] + offset[:, 1], 5)
    bad_from, opened = _histories(world, count)
    return Places(
        **block,
        merchant_city=city,
        merchant_category=category,
        merchant_price=np.round(np.exp(chance.normal(0.0, 0.25, count)), 2),
        merchant_margin=np.round(chance.uniform(0.45, 0.7, count), 2),
        merchant_commission=np.round(chance.uniform(0.05, 0.15, count), 2),
        merchant_opened=opened,
        merchant_promise_min=np.round(chance.uniform(5, 25, count)),
        merchant_promise_rating=np.round(chance.uniform(3.9, 4.8, count), 1),
        merchant_bad_from=bad_from,
        store_merchant=merchant,
        store_lat=lat,
        store_lon=lon,
        store_pull=np.exp(chance.normal(0.0, 0.7, count))[merchant] * np.exp(chance.normal(0.0, 0.3, len(merchant))),
        distance_km=kilometres(block["block_lat"][:, None], block["block_lon"][:, None], lat[None, :], lon[None, :]),
    )


def _blocks() -> dict[str, Array]:
    side = round(BLOCKS**0.5)
    step = (np.arange(side) - (side - 1) / 2) * 0.7  # kilometres between blocks
    north, east = (part.ravel() for part in np.meshgrid(step, step, indexing="ij"))
    out = np.hypot(north, east)
    lat = np.concatenate([np.round(centre[0] + north / KM_PER_DEGREE, 5) for centre in CENTRES])
    lon = np.concatenate([np.round(centre[1] + east / KM_PER_DEGREE, 5) for centre in CENTRES])
    weight = np.concatenate([share * np.exp(-out / 4) / np.exp(-out / 4).sum() for share in CITY_SHARES])
    return {
        "block_city": np.repeat(np.arange(len(CITIES)), BLOCKS),
        "block_lat": lat,
        "block_lon": lon,
        "block_weight": weight,
        "block_out_km": np.tile(out, len(CITIES)),
    }


def _histories(world: World, count: int) -> tuple[Array, Array]:
    """Draw from when merchants are bad, in seconds (never: far away), and when they opened."""
    chance = stream(world.seed, "merchant histories")
    given, u = world.parameters, chance.random(count)
    turning_on = np.round(chance.uniform(0.3, 0.7, count) * world.days).astype(np.int64) * DAY
    bad_from = np.full(count, np.iinfo(np.int64).max)
    turns = u < given.bad_merchant_share + given.turning_merchant_share
    bad_from[turns] = turning_on[turns]
    bad_from[u < given.bad_merchant_share] = np.iinfo(np.int64).min
    late = (np.arange(count) >= 24) & (chance.random(count) < 0.12)
    opened = np.where(late, np.round(chance.uniform(0.1, 0.5, count) * world.days).astype(np.int64) * DAY, -365 * DAY)
    return bad_from, opened


def kilometres(lat: Array, lon: Array, to_lat: Array, to_lon: Array) -> Array:
    """Return distances on the sphere by the haversine formula."""
    a, b, c, d = (np.radians(x) for x in (lat, lon, to_lat, to_lon))
    half = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return np.asarray(np.round(2 * 6371.0 * np.arcsin(np.sqrt(half)), 3))
