"""What the API answers, as OpenAPI describes it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel


class Segment(BaseModel):
    """A segment as of a day."""

    as_of: date
    scheme: str
    segment_code: str
    name: str
    customers: int
    share: float
    median_recency_days: float
    mean_frequency: float
    mean_monetary: float | None
    revenue_share: float | None


class Member(BaseModel):
    """A customer in a segment. Lists to contact people by are files: those ask for consent, this does not."""

    customer_id: str
    recency_days: int | None
    frequency: int
    monetary: Decimal | None
    churn_probability: float | None
    clv_365d: Decimal | None


class Members(BaseModel):
    """Members of a segment in the order of their ids, and after which id to ask on; none after the last."""

    as_of: date
    members: list[Member]
    next_after: str | None


class Offer(BaseModel):
    """An offer of an approved plan."""

    campaign_id: str
    coupon_id: str
    merchant_id: str
    channel: str
    send_on: date
    redemption_probability: float
    uplift: float | None
    expected_value: float
    reason_codes: list[str]


class Offers(BaseModel):
    """The offers of a customer; none for who gets none, or is not known."""

    customer_id: str
    offers: list[Offer]


class Campaign(BaseModel):
    """A campaign and what one model credits it with, over all history."""

    campaign_id: str
    name: str | None
    starts_at: datetime
    ends_at: datetime
    conversions: float | None
    net_revenue: Decimal | None
    cost: Decimal | None
    roas: float | None


class Credit(BaseModel):
    """What one model credits a campaign with in one window."""

    window_start: date
    window_end: date
    model: str
    conversions: float
    revenue: Decimal
    refunds: Decimal
    net_revenue: Decimal
    cost: Decimal | None
    roas: float | None
    cpa: float | None
    assisted_conversions: float | None
    share: float


class Effect(BaseModel):
    """What a campaign changed, with the interval at 95 %."""

    outcome: str
    method: str
    label: str
    n_treatment: int
    n_control: int
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    total_effect: float | None
    p_value: float | None
    reason_code: str | None


class CampaignResults(BaseModel):
    """What became of a campaign, as of a day."""

    campaign_id: str
    as_of: date
    attribution: list[Credit]
    incrementality: list[Effect]


class Problem(BaseModel):
    """Why there is no answer."""

    error: str
    detail: str | None = None
