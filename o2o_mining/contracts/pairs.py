"""The features of a customer and a coupon at a moment: meaning, and the moments from which each could have been known.

They are no table of their own. ``available_at`` names the columns beside them that hold the latest moment each value
rests on: all of them must lie before the moment of the pair.
"""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts.schema import Column

_feature = partial(Column, type="double", nullable=True)

_visit = partial(_feature, available_at="visited_until")
_there = partial(_feature, available_at="visited_at_merchant_until")
_taste = partial(_feature, available_at="visited_in_category_until")
_person = partial(_feature, available_at="joined_until")
_touch = partial(_feature, available_at="touched_until")
_deal = partial(_feature, available_at="baskets_until")
_rate = partial(_feature, available_at="outcomes_until", low=0, high=1)
_receipt = partial(_feature, available_at="received_until")
_use = partial(_feature, available_at="received_until, used_until, lapsed_until")
_campaign = partial(_feature, available_at="campaigns_until")
_product = partial(_feature, available_at="bought_until")
_kind = partial(_feature, available_at="kinds_until")
_till = partial(_feature, available_at="tills_until")

CUSTOMER = (
    _visit("n_visits", doc="Visits."),
    _visit("n_visits_90d", doc="Visits of the last 90 days."),
    _visit("n_coupon_visits", doc="Visits with a coupon."),
    _visit("recency_days", doc="Days since the last visit."),
    _visit("tenure_days", doc="Days since the first visit."),
    _visit("recency_over_gap", doc="Days since the last visit over the mean days between visits."),
    _visit("mean_paid_amount", doc="Mean amount paid at a visit."),
    _visit("paid_off_share", doc="What was taken off list prices."),
    _person("age_years", doc="Year of the moment less the year of birth."),
    _person("known_days", doc="Days since the customer became known."),
    _person("is_referred", doc="1 if somebody brought the customer."),
    _person("centre_km", doc="From home to the middle of the city's stores."),
    _touch("n_touches_90d", doc="Touches of the last 90 days."),
    _touch("n_clicks_90d", doc="Clicks of the last 90 days."),
    _touch("n_own_touches_90d", doc="Touches of no campaign of the last 90 days."),
)  # fmt: skip

COUPON = (
    _deal("off_share", doc="What the coupon takes off, of a usual basket or its threshold."),
    _deal("threshold_ratio", doc="The coupon's threshold over a usual basket at its merchant."),
    _deal("is_rate", doc="1 if the coupon takes off a share."),
    _deal("is_threshold", doc="1 if the coupon asks for a least amount."),
    _deal("is_campaign", doc="1 if the coupon belongs to a campaign."),
    _deal("valid_days", doc="Days for which the coupon can be used from the moment on."),
    _deal("usual_amount", doc="Mean list price of a basket at the merchant."),
    _deal("coupon_share", doc="Share of the merchant's visits with a coupon."),
    _rate("coupon_use_share", doc="Share of the coupon's receipts that were used, from the merchant's share on."),
    _rate("merchant_use_share", doc="Share of the merchant's receipts that were used, from the category's share on."),
    _rate("category_use_share", doc="Share of the category's receipts that were used, from the share of all on."),
    _rate("channel_use_share", doc="Share of the channel's receipts that were used, from the share of all on."),
)  # fmt: skip

CUSTOMER_AND_MERCHANT = (
    _there("n_visits_merchant", doc="Visits to the merchant."),
    _there("n_coupon_visits_merchant", doc="Visits to the merchant with a coupon."),
    _there("merchant_recency_days", doc="Days since the last visit to the merchant."),
    _there("merchant_visit_share", doc="Share of visits that went to the merchant."),
    _taste("n_visits_category", doc="Visits in the merchant's category."),
    _taste("category_recency_days", doc="Days since the last visit in the category."),
    _taste("category_visit_share", doc="Share of visits in the category."),
    _person("distance_m", doc="From home to the merchant's nearest store."),
)  # fmt: skip

CUSTOMER_AND_PRODUCTS = (
    _product("n_products_bought", doc="Couponed products bought before."),
    _product("n_products_habitual", doc="Couponed products bought at least twice."),
    _product("n_products_90d", doc="Couponed products bought in the last 90 days."),
    _product("n_products_off", doc="Couponed products bought at visits at which something was taken off at the till."),
    _product("n_product_lines", doc="How often couponed products were bought."),
    _product("n_product_lines_90d", doc="How often couponed products were bought in the last 90 days."),
    _product("n_product_lines_off", doc="How often they were bought at visits with something taken off at the till."),
    _product("product_amount", doc="Money spent on couponed products."),
    _product("product_days", doc="Days since the last purchase of a couponed product."),
    _kind("n_subcategories_bought", doc="Subcategories of couponed products bought from before."),
    _kind("n_subcategories_off", doc="Those bought from at visits with something taken off at the till."),
    _kind("n_subcategory_lines", doc="How often products of these subcategories were bought."),
    _kind("n_subcategory_lines_90d", doc="How often they were bought in the last 90 days."),
    _kind("n_subcategory_lines_off", doc="How often at visits with something taken off at the till."),
    _kind("subcategory_amount", doc="Money spent in these subcategories."),
    _kind("n_category_lines", doc="How often products of the couponed products' categories were bought."),
    _kind("n_category_lines_off", doc="How often at visits with something taken off at the till."),
    _kind("category_amount", doc="Money spent in these categories."),
    _till("n_tills_off", doc="Visits at which something was taken off at the till."),
    _till("n_tills_off_90d", doc="Such visits of the last 90 days."),
    _till("tills_off_share", doc="Share of visits at which something was taken off at the till."),
    _till("till_off_share", doc="Share of the lines' prices that was taken off at the till."),
)  # fmt: skip

RESPONSES = (
    _receipt("n_receipts", doc="Coupons received before."),
    _receipt("receipt_days", doc="Days since the last coupon was received."),
    _use("n_open", doc="Coupons in hand that can still be used."),
    _use("n_used", doc="Coupons used."),
    _use("n_lapsed", doc="Coupons not used in their time."),
    _use("used_share", doc="Used of those whose outcome was known, half a use and half a lapse added."),
    _use("n_campaign_used", doc="Coupons of campaigns used."),
    _use("n_campaign_lapsed", doc="Coupons of campaigns not used in their time."),
    _use("use_days", doc="Days since the last use."),
    _use("n_coupon_used", doc="This very coupon used."),
    _use("n_coupon_lapsed", doc="This very coupon not used in its time."),
    _use("n_merchant_used", doc="Coupons of the merchant used."),
    _use("n_merchant_lapsed", doc="Coupons of the merchant not used in their time."),
    _use("n_category_used", doc="Coupons of the category used."),
    _use("n_category_lapsed", doc="Coupons of the category not used in their time."),
    _use("n_channel_used", doc="Coupons that came over the channel used."),
    _use("n_channel_lapsed", doc="Coupons that came over the channel not used in their time."),
    _campaign("n_campaigns", doc="Campaigns that could have reached the customer."),
    _campaign("reached_share", doc="Share of these that asked the customer, or drew them for control."),
    _campaign("n_unasked_came", doc="Campaigns that did not ask while the customer came to their merchant."),
    _campaign("n_unasked_away", doc="Campaigns that did not ask and during which the customer stayed away."),
    _campaign("unasked_came_share", doc="Came of those that did not ask, half of each added."),
)  # fmt: skip

GROUPS: dict[str, tuple[Column, ...]] = {
    "customer": CUSTOMER,
    "coupon": COUPON,
    "customer and merchant": CUSTOMER_AND_MERCHANT,
    "customer and products": CUSTOMER_AND_PRODUCTS,
    "responses": RESPONSES,
}
PAIR_FEATURES: tuple[Column, ...] = tuple(feature for group in GROUPS.values() for feature in group)
# The columns beside the features that the leak guard looks at.
MOMENTS: tuple[str, ...] = tuple(
    sorted({at.strip() for feature in PAIR_FEATURES for at in feature.available_at.split(",")})
)
