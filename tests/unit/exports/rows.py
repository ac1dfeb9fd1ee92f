"""Rows of published tables as the tests of this room need them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from o2o_mining.core.settings import Settings
from o2o_mining.engine.home import Home

Rows = Sequence[Mapping[str, Any]]
Publish = Callable[..., Home]

DAY = date(2018, 1, 1)
# Nobody is held out of everything but where a test says so.
SETTINGS = Settings(currency="TWD", global_holdout_share=0)
ASSUMING = Settings(currency="TWD", global_holdout_share=0, assumed_consent=True)


def segment_name(code: str, language: str) -> str:
    """Name a segment as the room of segments would."""
    names = {"champions": {"en": "Champions", "zh-Hant": "冠軍顧客", "zh-Hans": "冠军顾客"}}
    return names.get(code, {}).get(language, code.title())


def member(customer_id: str, segment_code: str | None = "champions", **more: Any) -> dict[str, Any]:
    """Return a row of segments."""
    scores = {
        "recency_days": 3,
        "frequency": 4,
        "monetary": Decimal("1234.50"),
        "r_score": 5,
        "f_score": 5,
        "m_score": 4,
    }
    return {"customer_id": customer_id, "segment_code": segment_code, **scores, **more}


def says(customer_id: str, granted: bool, changed_at: str = "2017-01-01", purpose: str = "marketing") -> dict[str, Any]:
    """Return a row of consents."""
    said = pd.Timestamp(changed_at)
    return {"customer_id": customer_id, "purpose": purpose, "changed_at": said, "granted": granted}


def customer(customer_id: str, consent_marketing: bool | None = None) -> dict[str, Any]:
    """Return a row of customers."""
    return {"customer_id": customer_id, "consent_marketing": consent_marketing}


def credit(id_: str = "search", **more: Any) -> dict[str, Any]:
    """Return a row of campaign_attribution."""
    row = {
        "window_start": date(1970, 1, 1), "window_end": DAY, "model": "last_non_direct", "level": "channel",
        "conversions": 1.5, "revenue": Decimal("12.50"), "refunds": Decimal("2.50"),
        "net_revenue": Decimal("10.00"), "share": 0.25,
    }  # fmt: skip
    return {"id": id_, **row, **more}


def profile(segment_code: str, customers: int, scheme: str = "rfm") -> dict[str, Any]:
    """Return a row of segment_profiles."""
    return {"scheme": scheme, "segment_code": segment_code, "customers": customers, "recency_cuts": [30.0, 7.0]}


def offer(customer_id: str, campaign_id: str = "spring", **more: Any) -> dict[str, Any]:
    """Return a row of targeted_offers."""
    row = {"campaign_id": campaign_id, "coupon_id": "k", "basis": "experiment", "rank": 1, "reason_codes": ["near:850"]}
    return {"customer_id": customer_id, **row, **more}


def held(customer_id: str, campaign_id: str, kind: str) -> dict[str, Any]:
    """Return a row of offer_holdouts."""
    return {"customer_id": customer_id, "campaign_id": campaign_id, "kind": kind}
