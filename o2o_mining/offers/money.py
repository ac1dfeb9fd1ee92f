"""What a visit brings and an offer costs: baskets, margins, discounts and contacts, as far as they were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from o2o_mining.engine.portable import moment

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.core.settings import Settings

# So many visits of a merchant weigh as much as the mean of its category; so many uses as what is expected without.
_VISITS = 20
_USES = 50
_DISCOUNTS = 10


def baskets(purchases: ir.Table) -> ir.Table:
    """One merchant: its purchases without a coupon, what was paid for them, and what had been taken off anyway."""
    t = purchases.filter(purchases.cancelled_at.isnull() & purchases.coupon_id.isnull() & (purchases.paid_amount > 0))
    return t.group_by("merchant_id").aggregate(
        visits=t.count(),
        paid=t.paid_amount.sum(),
        listed=t.list_amount.sum(),
        off=t.discount_amount.sum(),
    )


def coupon_uses(uses: ir.Table, purchases: ir.Table, merchants_off: ir.Table) -> ir.Table:
    """One coupon: how often it was used, what it took off where that is known, and the baskets it was used on.

    Where the log does not say what a use took off, it is what the basket's discount is beyond the merchant's usual
    one, shared by the coupons of the basket.

    Parameters
    ----------
    uses
        ``coupon_lifecycle`` as known before the day.
    purchases
        ``purchases`` as known before the day.
    merchants_off
        ``merchant_id, off_share``: the share of list prices that is taken off without any coupon.
    """
    used = uses.filter(uses.redeemed_at.notnull()).select("receipt_id", "coupon_id", "redemption_id", "discount_amount")
    paid = purchases.filter(purchases.cancelled_at.isnull() & purchases.redemption_id.notnull())
    paid = paid.select("redemption_id", "merchant_id", "list_amount", "paid_amount", off="discount_amount")
    paid = paid.left_join(merchants_off, "merchant_id").drop("merchant_id_right")
    t = used.left_join(paid, "redemption_id").drop("redemption_id_right")
    shared = t.count().over(group_by=t.redemption_id).cast("float64")
    beyond = (t.off.cast("float64") - t.off_share.fill_null(0.0) * t.list_amount.cast("float64")) / shared
    told = ibis.coalesce(t.discount_amount.cast("float64"), ibis.greatest(beyond, 0.0))
    # Counted in hundredths, so that the sums do not depend on the order of rows.
    t = t.mutate(cents=(told * 100).round().cast("int64"), basket=t.paid_amount + t.discount_amount)
    return t.group_by("coupon_id").aggregate(
        uses=t.cents.count(), cents=t.cents.sum(), baskets=t.basket.count(), listed=t.basket.sum()
    )


def contact_costs(touches: ir.Table, campaign_costs: ir.Table, *, as_of: date) -> ir.Table:
    """One channel: the cost of one contact, by the touches, else by what campaigns spent on it."""
    seen = touches.filter((touches.touched_at < moment(as_of)) & (touches.action == "impression"))
    by_touch = seen.group_by("channel").aggregate(contacts=seen.count(), priced=seen.cost.count(), cost=seen.cost.sum())
    spent = campaign_costs.filter(campaign_costs.spent_on < ibis.literal(as_of))
    by_campaign = spent.group_by("channel").aggregate(spent=spent.cost.sum())
    return by_touch.left_join(by_campaign, "channel").drop("channel_right")


def coupon_values(
    offers: pd.DataFrame,
    merchants: pd.DataFrame,
    bought: pd.DataFrame,
    used: pd.DataFrame,
    channels: pd.DataFrame,
    *,
    settings: Settings,
) -> pd.DataFrame:
    """One coupon: what a visit with it and without it is worth to the merchant, and what it costs.

    Parameters
    ----------
    offers
        Coupons of all campaigns, those of the plan among them: ``coupon_id, merchant_id, campaign_id, kind, threshold,
        discount``, and ``channel`` of the campaign.
    merchants
        ``merchant_id, category, margin_share, commission_share``.
    bought, used, channels
        As `baskets`, `coupon_uses` and `contact_costs` return them.
    settings
        What stands in for what nobody told.

    Returns
    -------
    DataFrame
        Indexed by ``coupon_id``: ``basket_without, basket_with, margin_share, commission_share, taken_off,
        contact_cost, channel, margin_basis, discount_basis``; money as floats, null where nothing was ever seen.
    """
    known = offers.merge(merchants, how="left", on="merchant_id").merge(used, how="left", on="coupon_id")
    known = known.set_index("coupon_id").sort_index()
    usual = _usual_baskets(known, merchants, bought)
    lift = _lifts(known, usual)
    threshold = known["threshold"].astype(float).fillna(0.0)
    with_it = (usual * lift).where(known["kind"] != "threshold", np.maximum(usual * lift, threshold))
    taken_off, basis = _taken_off(known, with_it)
    margin = known["margin_share"].astype(float)
    channel = known["channel"].fillna(settings.default_channel)
    return pd.DataFrame(
        {
            "merchant_id": known["merchant_id"],
            "basket_without": usual,
            "basket_with": with_it,
            "margin_share": margin.fillna(settings.default_margin_share),
            "commission_share": known["commission_share"].astype(float).fillna(settings.default_commission_share),
            "taken_off": taken_off,
            "contact_cost": channel.map(_per_contact(channels)).fillna(settings.default_contact_cost).astype(float),
            "channel": channel,
            "margin_basis": np.where(margin.notna(), "merchant", "setting"),
            "discount_basis": basis,
        }
    )


def _usual_baskets(known: pd.DataFrame, merchants: pd.DataFrame, bought: pd.DataFrame) -> pd.Series[float]:
    """Return the usual basket of each coupon's merchant, drawn to the mean of its category and that to everybody's."""
    table = bought.merge(merchants[["merchant_id", "category"]], how="left", on="merchant_id")
    table = table.assign(paid=table["paid"].astype(float), category=table["category"].fillna(""))
    visits = table["visits"].sum()
    everybody = float(table["paid"].sum() / visits) if visits else np.nan
    group = table.groupby("category")[["visits", "paid"]].sum()
    category = (group["paid"] + _VISITS * everybody) / (group["visits"] + _VISITS)
    own = table.set_index("merchant_id")
    prior = known["category"].fillna("").map(category).fillna(everybody)
    n, paid = (known["merchant_id"].map(own[name]).fillna(0.0).astype(float) for name in ("visits", "paid"))
    return (paid + _VISITS * prior) / (n + _VISITS)


def _lifts(known: pd.DataFrame, usual: pd.Series[float]) -> pd.Series[float]:
    """Return how much larger baskets are under coupons of this kind, drawn to: as large."""
    n = known["baskets"].fillna(0.0).astype(float)
    table = pd.DataFrame(
        {
            "kind": known["kind"].fillna(""),
            "seen": known["listed"].astype(float).fillna(0.0),
            "usual": (usual * n).fillna(0.0),
            "prior": usual.fillna(0.0) * (n > 0),
            "some": (n > 0).astype(float),
        }
    )
    sums = table.groupby("kind").sum()
    pseudo = _USES * sums["prior"] / sums["some"].where(sums["some"] > 0)
    lift = ((sums["seen"] + pseudo) / (sums["usual"] + pseudo)).fillna(1.0)
    return table["kind"].map(lift).astype(float)


def _taken_off(known: pd.DataFrame, basket: pd.Series[float]) -> tuple[pd.Series[float], pd.Series[str]]:
    """Return what a use takes off, and what that rests on: terms, else the campaign's, merchant's or all uses.

    What was seen of the coupon itself weighs against it by the number of uses.
    """
    money = known["discount"].astype(float)
    guesses = {"terms": (money * basket).where(known["kind"] == "rate", np.minimum(money, basket))}
    n, cents = known["uses"].fillna(0.0).astype(float), known["cents"].fillna(0.0).astype(float)
    for name, key in (("campaign", known["campaign_id"]), ("merchant", known["merchant_id"])):
        uses, total = n.groupby(key).transform("sum"), cents.groupby(key).transform("sum")
        guesses[name] = (total / uses.where(uses > 0) / 100).reindex(known.index)
    if n.sum():
        guesses["source"] = pd.Series(cents.sum() / n.sum() / 100, index=known.index)
    guess, basis = pd.Series(np.nan, index=known.index), pd.Series("", index=known.index)
    for name, value in guesses.items():
        basis = basis.mask(guess.isna() & value.notna(), name)
        guess = guess.fillna(value)
    seen = (cents / 100 + _DISCOUNTS * guess) / (n + _DISCOUNTS)
    return seen, basis.mask(n > 0, "coupon")


def _per_contact(channels: pd.DataFrame) -> pd.Series[float]:
    table = channels.set_index("channel")
    priced = table["priced"].astype(float)
    by_touch = table["cost"].astype(float) / priced.where(priced > 0)
    return by_touch.fillna(table["spent"].astype(float) / table["contacts"].astype(float))
