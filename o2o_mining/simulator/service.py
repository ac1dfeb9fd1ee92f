"""What was promised and what was delivered: waiting, ratings, complaints and money given back."""

from __future__ import annotations

import numpy as np

from o2o_mining.simulator.chance import Array, stream
from o2o_mining.simulator.places import Places
from o2o_mining.simulator.world import World

BAD_EXCESS_MIN = 10.0  # a visit is bad when the wait exceeds the promise by more
WAIT_NOISE = 0.2
REVIEW_SHARE, COMPLAINT_SHARE, REFUND_SHARE = 0.15, 0.7, 0.3


def serve(world: World, places: Places, merchant: Array, at: Array) -> tuple[Array, Array]:
    """Return how long each visit waited in minutes, and whether it was a bad visit."""
    chance = stream(world.seed, "service")
    promise = places.merchant_promise_min[merchant]
    gap = np.where(at >= places.merchant_bad_from[merchant], world.parameters.gap_min, 0.0)
    noise = np.exp(WAIT_NOISE * chance.standard_normal(len(merchant)) - WAIT_NOISE**2 / 2)
    waited = np.round(promise * noise + gap, 1)
    return waited, waited - promise > BAD_EXCESS_MIN


def judge(world: World, places: Places, merchant: Array, waited_min: Array) -> dict[str, Array]:
    """Return of each visit whether it is reviewed, the stars, whether it is a complaint, and whether it is refunded."""
    chance = stream(world.seed, "reviews")
    count = len(merchant)
    excess = np.maximum(waited_min - places.merchant_promise_min[merchant], 0.0)
    felt = places.merchant_promise_rating[merchant] - 0.12 * excess + 0.5 * chance.standard_normal(count)
    rating = np.clip(np.round(felt), 1, 5).astype(np.int64)
    unhappy = rating <= 2
    reviewed = chance.random(count) < np.where(unhappy, 3 * REVIEW_SHARE, REVIEW_SHARE)
    complaint = reviewed & unhappy & (chance.random(count) < COMPLAINT_SHARE)
    refunded = (complaint & (chance.random(count) < REFUND_SHARE)) | (chance.random(count) < 0.003)
    return {"reviewed": reviewed, "rating": rating, "complaint": complaint, "refunded": refunded}
