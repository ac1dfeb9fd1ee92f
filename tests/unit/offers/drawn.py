"""Candidates drawn at random, as a planner would see them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def candidates(customers: int, offers: int, *, campaigns: int = 3, seed: int = 0) -> pd.DataFrame:
    """Return every offer for every customer: costs of some coins, values that are often below them."""
    rng = np.random.default_rng(seed)
    offer = np.tile(np.arange(offers), customers)
    probability = rng.beta(1, 12, customers * offers)
    cost = np.round(probability * rng.uniform(2, 40, offers)[offer] + 0.06, 6)
    value = np.round(cost * rng.lognormal(-0.3, 1, len(cost)) - 0.3 * cost, 6)
    return pd.DataFrame(
        {
            "customer_id": np.repeat(np.arange(customers), offers),
            "offer_id": offer,
            "campaign_id": offer % campaigns,
            "value": value,
            "cost": cost,
        }
    )


def budgets(drawn: pd.DataFrame, share: float) -> dict[int, float]:
    """Return a share of what all offers of some value would cost, by campaign."""
    cost = drawn[drawn["value"] > 0].groupby("campaign_id")["cost"].sum()
    return {campaign: round(share * float(cost[campaign]), 2) for campaign in cost.index.tolist()}
