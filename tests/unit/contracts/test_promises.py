"""What was promised to whoever writes a feed or reads a snapshot, written down apart from the declarations.

``*`` marks the key, ``?`` what may be null. A declaration may grow beside a promise, never away from it.
"""

from __future__ import annotations

import pytest

from o2o_mining.contracts.catalogue import TABLES, contract, tables
from o2o_mining.contracts.schema import Column, Kind

# Feeds with their types; text and ids need none.
FEEDS = {
    "customers": """customer_id* joined_at?:timestamp birth_year?:int gender? city? home_lat?:double home_lon?:double
        phone? email? referrer_id? consent_marketing?:boolean""",
    "consents": "customer_id* purpose* changed_at*:timestamp granted:boolean",
    "merchants": "merchant_id* name? category? city? margin_share?:double commission_share?:double",
    "stores": "store_id* merchant_id lat?:double lon?:double",
    "products": "product_id* name? department? category? subcategory? merchant_id?",
    "campaigns": """campaign_id* name? channel? merchant_id? starts_at:timestamp ends_at:timestamp budget?:money""",
    "campaign_costs": "campaign_id* channel* spent_on*:date cost:money",
    "coupons": """coupon_id* merchant_id campaign_id? kind? threshold?:money discount?:double valid_days?:int
        starts_at?:timestamp ends_at?:timestamp stock?:int min_age?:int""",
    "coupon_products": "coupon_id* product_id*",
    "assignments": "campaign_id* customer_id* arm assigned_at:timestamp",
    "sends": "send_id* campaign_id customer_id coupon_id? channel sent_at:timestamp tracking_code?",
    "touches": """touch_id* customer_id touched_at:timestamp channel campaign_id? action cost?:money device?
        tracking_code?""",
    "coupon_receipts": """receipt_id* customer_id coupon_id received_at:timestamp channel? distance_m?:double
        tracking_code?""",
    "online_orders": """order_id* customer_id merchant_id store_id? ordered_at:timestamp channel? device?
        list_amount?:money paid_amount?:money coupon_id? receipt_id? campaign_id? tracking_code? fulfilment?
        reserved_for?:timestamp promised_wait_min?:double promised_rating?:double status cancelled_at?:timestamp
        refunded_at?:timestamp refunded_amount?:money""",
    "offline_redemptions": """redemption_id* customer_id merchant_id store_id? redeemed_at:timestamp order_id?
        coupon_id? receipt_id? list_amount?:money paid_amount?:money distance_m?:double waited_min?:double
        tracking_code? refunded_at?:timestamp refunded_amount?:money""",
    "coupon_redemptions": """coupon_redemption_id* customer_id coupon_id redeemed_at:timestamp receipt_id?
        redemption_id? order_id? discount_amount?:money""",
    "basket_lines": "basket_id* line_no*:int product_id quantity:double amount:money",
    "reviews": """review_id* customer_id merchant_id store_id? reviewed_at:timestamp rating:int order_id?
        redemption_id? is_complaint:boolean text?""",
}

PUBLISHED = {
    "customer_contacts": "customer_id* home_lat?:double home_lon?:double phone? email?",
    "purchases": """purchase_id* customer_id merchant_id store_id? purchased_at:timestamp consumed_at?:timestamp
        cancelled_at?:timestamp source fulfilment? order_id? redemption_id? list_amount?:money discount_amount?:money
        paid_amount?:money refunded_at?:timestamp refunded_amount:money net_amount?:money coupon_id? receipt_id?
        campaign_id? channel? tracking_code? distance_m?:double""",
    "journeys": """journey_id* customer_id purchase_id? converted:boolean started_at:timestamp ended_at:timestamp
        n_touches:int path days_to_convert?:double value?:money net_value?:money""",
    "coupon_lifecycle": """receipt_id* customer_id coupon_id merchant_id campaign_id? received_at:timestamp
        expires_at?:timestamp redeemed_at?:timestamp redemption_id? days_to_redeem?:double distance_m?:double
        discount_amount?:money state""",
    "attribution_ledger": """entry_id* model purchase_id touch_id? customer_id channel campaign_id?
        credited_at:timestamp kind share:double amount:money conversions:double""",
    "data_quality": """feed* file* rows_read?:int rows_accepted?:int rows_quarantined?:int rows_duplicate?:int
        orphans?:int traced_share?:double""",
    "quarantine": "rejection_id* feed file line:int reason column? raw",
    "customer_features": "as_of*:date customer_id*",
    "segments": """as_of*:date customer_id* recency_days?:int frequency:int monetary?:money r_score?:int f_score?:int
        m_score?:int segment_code? cluster? lifecycle_stage? rule_segments:codes""",
    "segment_profiles": """as_of*:date scheme* segment_code* customers:int share:double median_recency_days:double
        mean_frequency:double mean_monetary?:double revenue_share?:double stability?:double""",
    "segment_migration": "as_of*:date previous_as_of*:date scheme* from_code* to_code* customers:int",
    "association_rules": """as_of*:date scope* level* antecedents*:codes consequents*:codes n_baskets:int support:double
        confidence:double lift:double leverage:double conviction?:double holdout_lift:double holdout_lift_low:double
        holdout_lift_high:double q_value:double customers:int net_amount?:money""",
    "campaign_attribution": """as_of*:date window_start*:date window_end*:date model* level* id* lookback_days:int
        conversions:double revenue:money refunds:money net_revenue:money cost?:money roas?:double cpa?:double
        assisted_conversions:int share:double""",
    "merchant_scorecards": """as_of*:date merchant_id* promise_gap:double promise_gap_low:double promise_gap_high:double
        wait_gap_min?:double rating_gap?:double refund_share:double complaint_share:double
        kept_reservations_share?:double service_score:double cost_score:double efficiency_score:double
        peer_percentile:double band action_code?""",
    "store_catchments": """as_of*:date store_id* customers:int radius_m:double decay_per_km?:double overlap_store_id?
        overlap_share?:double""",
    "incrementality": """as_of*:date campaign_id* outcome* method* n_treatment:int n_control:int mean_treatment?:double
        mean_control?:double effect?:double effect_low?:double effect_high?:double p_value?:double total_effect?:double
        smallest_detectable_effect?:double sample_ratio_p?:double label reason_code?""",
    "three_wins": """as_of*:date level* id* merchant_margin?:money customer_savings?:money offers_per_visit:double
        platform_retention_share:double visits_per_customer:double margin_basis""",
}

ALLOWED = {
    "customers.gender": "f m x",
    "consents.purpose": "marketing ads profiling",
    "coupons.kind": "rate threshold fixed",
    "assignments.arm": "treatment control",
    "association_rules.scope": "basket customer sequence",
    "association_rules.level": "product subcategory category merchant",
    "touches.action": "impression click visit",
    "online_orders.fulfilment": "in_store reservation delivery",
    "online_orders.status": "paid cancelled refunded",
    "purchases.source": "online offline",
    "coupon_lifecycle.state": "open redeemed expired",
    "attribution_ledger.model": "first last last_non_direct linear position j_shaped time_decay",
    "attribution_ledger.kind": "credit refund",
    "segment_profiles.scheme": "rfm cluster lifecycle rule",
    "campaign_attribution.model": """first last last_non_direct linear position j_shaped time_decay markov shapley
        calibrated""",
    "campaign_attribution.level": "channel campaign",
    "incrementality.outcome": "converted purchases net_revenue margin",
    "incrementality.method": "itt cuped did synthetic_control",
    "incrementality.label": "experiment observational refused",
    "three_wins.level": "campaign merchant",
    "three_wins.margin_basis": "merchant setting",
    "three_wins.label": "experiment observational refused",
    "funnel.dimension": "total channel device merchant",
    "funnel.stage": "touched received ordered redeemed returned",
    "budget_advice.advice": "raise lower test",
    "budget_advice.label": "calibrated credited refused",
    "o2o_b2c.dimension": "total channel category",
    "o2o_b2c.outcome": "converted repeat basket margin acquisition_cost",
    "o2o_b2c.label": "observational refused",
    "path_summary.outcome": "converted lost",
    "path_histograms.measure": "days touches",
    "demand_forecast.level": "total category merchant store",
    "demand_forecast.measure": "purchases net_revenue redemptions",
    "demand_forecast.method": "weighted_regression seasonal_naive",
    "market_analysis.dimension": "total category city category_city",
    "merchant_scorecards.band": "good watch act",
    "merchant_scorecards.action_code": "pause_offers lower_cap notify raise_cap",
    "store_catchments.basis": "redemptions model",
    "coupon_forensics.kind": "double_redemption velocity self_redemption ring",
    "referral_rates.label": "observational refused",
    "referral_rates.reason_code": "too_few",
    "promise_gaps.level": "merchant store",
    "promise_gaps.measure": "wait rating complaint refund reservation price all",
    "merchant_changes.measure": "wait rating complaint refund reservation price",
    "merchant_actions.action_code": "pause_offers lower_cap notify raise_cap",
    "merchant_actions.band": "good watch act",
    "response_scores.basis": "experiment observational propensity",
    "response_quality.model": "redemption uplift",
    "targeted_offers.basis": "experiment observational propensity",
    "targeted_offers.margin_basis": "merchant setting",
    "offer_holdouts.kind": "global campaign",
    "offer_exclusions.reason_code": """no_consent fatigue do_not_disturb promise_gap not_eligible no_value other_offer
        no_capacity out_of_budget""",
    "bad_visit_costs.reach": "customer friends",
    "bad_visit_costs.outcome": "purchases net_revenue",
    "bad_visit_costs.label": "observational refused",
    "bad_visit_costs.reason_code": "too_few unlike_before",
}

# Low and high of what a feed may hold; money and quantities are never negative.
RANGES = {
    "customers.home_lat": (-90, 90),
    "customers.home_lon": (-180, 180),
    "stores.lat": (-90, 90),
    "stores.lon": (-180, 180),
    "online_orders.promised_rating": (1, 5),
    "reviews.rating": (1, 5),
    "basket_lines.quantity": (0, None),
}

PERSONAL = {
    "customers": {"birth_year", "gender", "home_lat", "home_lon", "phone", "email"},
    "customer_contacts": {"home_lat", "home_lon", "phone", "email"},
    "quarantine": {"raw"},
    "reviews": {"text"},
    "restatements": {"old", "new"},
}


def _promised(column: str) -> tuple[str, bool, bool, str]:
    """Read one promise: name, whether it is of the key, whether it may be null, its type or nothing."""
    name, _, kind = column.partition(":")
    return name.rstrip("*?"), "*" in name, "?" in name, kind


def _declared(column: Column) -> tuple[str, bool, bool, str]:
    return column.name, column.key, column.nullable, "" if column.type in ("id", "text") else column.type


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_has_the_promised_columns_and_no_others(feed: str) -> None:
    assert {_declared(column) for column in contract(feed).columns} == set(map(_promised, FEEDS[feed].split()))


@pytest.mark.parametrize("table", PUBLISHED)
def test_a_table_has_the_promised_columns_and_perhaps_more(table: str) -> None:
    declared = {_declared(column) for column in contract(table).columns}
    assert set(map(_promised, PUBLISHED[table].split())) - declared == set()


@pytest.mark.parametrize("table", PUBLISHED)
def test_the_key_is_the_promised_one_and_nothing_beside_it(table: str) -> None:
    key = {name for name, is_key, _, _ in map(_promised, PUBLISHED[table].split()) if is_key}
    assert set(contract(table).key) == key


def test_every_feed_is_promised() -> None:
    assert {table.name for table in tables(Kind.FEED)} == set(FEEDS)


def test_every_promised_column_of_a_table_is_published() -> None:
    for table in PUBLISHED:
        assert contract(table).published, table
        names = {name for name, *_ in map(_promised, PUBLISHED[table].split())}
        assert names - set(contract(table).published_names) == set(), table


def test_values_are_limited_where_that_was_promised_and_nowhere_else() -> None:
    promised = {column: set(values.split()) for column, values in ALLOWED.items()}
    declared = {
        f"{table.name}.{column.name}": set(column.allowed)
        for table in tables(Kind.FEED, Kind.EVENTS, Kind.MINED)
        for column in table.columns
        if column.allowed
    }
    assert declared == promised


def test_ranges_are_as_promised() -> None:
    for place, (low, high) in RANGES.items():
        column = contract(place.split(".")[0])[place.split(".")[1]]
        assert (column.low, column.high) == (low, high), place
    for table in tables(Kind.FEED):
        assert [c.name for c in table.columns if c.type == "money" and c.low != 0] == [], table.name


def test_what_is_personal_is_marked_and_contact_data_stand_apart() -> None:
    marked = {t.name: {c.name for c in t.columns if c.personal} for t in TABLES.values() if t.kind is not Kind.WORKING}
    assert {table: columns for table, columns in marked.items() if columns} == PERSONAL
    contacts = {"home_lat", "home_lon", "phone", "email"}
    assert contacts & set(contract("customers").published_names) == set()


def test_a_channel_of_a_feed_never_holds_the_sign_that_parts_a_path() -> None:
    channels = [t["channel"] for t in tables(Kind.FEED) if "channel" in t.column_names]
    assert len(channels) == 6
    assert {column.forbidden for column in channels} == {">"}


def test_every_feature_says_from_when_it_could_be_known() -> None:
    features = [column for column in contract("customer_features").columns if not column.key]
    assert len(features) >= 20
    assert [column.name for column in features if not column.available_at] == []


def test_everything_is_said_in_a_sentence() -> None:
    said = [text for t in TABLES.values() for text in (t.row, *(column.doc for column in t.columns))]
    assert [text for text in said if not text.endswith(".") or text[0].islower()] == []
