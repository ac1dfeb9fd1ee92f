"""What campaigns brought."""

from __future__ import annotations

from functools import partial

from o2o_mining.contracts import events
from o2o_mining.contracts.schema import Check, Column, Kind, Table
from o2o_mining.contracts.slices import AS_OF

_key = partial(Column, key=True)
_opt = partial(Column, nullable=True)

MODELS = (*events.TOUCH_MODELS, "markov", "shapley", "calibrated")
PATH_SEPARATOR = " > "
# The id of what is credited to no campaign.
NO_CAMPAIGN = "(none)"

CAMPAIGN_ATTRIBUTION = Table(
    name="campaign_attribution",
    room="attribution",
    kind=Kind.MINED,
    row="What one model credits to one channel or campaign in one window.",
    columns=(
        AS_OF,
        _key("window_start", "date", "First day of the window."),
        _key("window_end", "date", "Day after the window; as_of."),
        _key("model", "text", "The model.", allowed=MODELS),
        _key("level", "text", "What is credited.", allowed=("channel", "campaign")),
        _key("id", "text", "Channel, campaign_id or (none)."),
        Column("lookback_days", "int", "How far back touches count."),
        Column("conversions", "double", "Conversions credited."),
        Column("revenue", "money", "Money paid, credited."),
        Column("refunds", "money", "Money given back of it, positive."),
        Column("net_revenue", "money", "Revenue less refunds."),
        _opt("cost", "money", "Money spent in the window."),
        _opt("roas", "double", "Net revenue per money spent; null where nothing was spent."),
        _opt("cpa", "double", "Money spent per conversion; null where nothing was spent or nothing converted."),
        Column("assisted_conversions", "int", "Conversions in whose path it occurs but is not last."),
        Column(
            "share",
            "double",
            "Share of the model's conversions; of shapley and calibrated also below 0 or above 1.",
        ),
    ),
    checks=(
        Check(
            "net_is_revenue_less_refunds",
            "net_revenue = revenue - refunds",
            lambda t: t.net_revenue != t.revenue - t.refunds,
        ),
        Check(
            "share_is_a_part",
            "share lies in 0..1, but for shapley and calibrated",
            lambda t: ((t.share < 0) | (t.share > 1)) & t.model.notin(("shapley", "calibrated")),
        ),
    ),
)

_window = (_key("window_start", "date", "First day of the window."), _key("window_end", "date", "Day after it; as_of."))

PATH_SUMMARY = Table(
    name="path_summary",
    room="attribution",
    kind=Kind.MINED,
    row="One of the paths that most conversions came by in one window, or that most journeys without one took.",
    columns=(
        AS_OF,
        *_window,
        _key("outcome", "text", "How the journeys ended.", allowed=("converted", "lost")),
        _key("rank", "int", "1 for the most frequent.", low=1),
        Column("path", "text", "Channels in order, joined by ' > '."),
        Column("journeys", "int", "Journeys that took it and ended so.", low=1),
        Column("share", "double", "Share of all journeys that ended so.", low=0, high=1),
        Column("conversion_rate", "double", "Share of the path's journeys that converted.", low=0, high=1),
        Column("revenue", "money", "Money paid at the end of them."),
    ),
)

PATH_HISTOGRAMS = Table(
    name="path_histograms",
    room="attribution",
    kind=Kind.MINED,
    row="How many conversions of one window took so many days, or so many touches.",
    columns=(
        AS_OF,
        *_window,
        _key("measure", "text", "Whole days from the first touch, or touches.", allowed=("days", "touches")),
        _key("amount", "int", "How many; 0 touches is a purchase without any known.", low=0),
        Column("conversions", "int", "Conversions.", low=1),
        Column("share", "double", "Share of all conversions.", low=0, high=1),
    ),
)

CHANNEL_TRANSITIONS = Table(
    name="channel_transitions",
    room="attribution",
    kind=Kind.MINED,
    row="How often journeys of one window moved from one channel to another: the Markov chain of order 1.",
    columns=(
        AS_OF,
        *_window,
        _key("from_state", "text", "Channel, or (start); a channel of a state's name has another pair: ((start))."),
        _key("to_state", "text", "Channel, (conversion) or (null); a channel of a state's name has another pair."),
        Column("journeys", "int", "Moves.", low=1),
        Column("probability", "double", "Share of all moves from there.", low=0, high=1),
    ),
)

CHANNEL_ROLES = Table(
    name="channel_roles",
    room="attribution",
    kind=Kind.MINED,
    row="Which part one channel has in the journeys of one window.",
    columns=(
        AS_OF,
        *_window,
        _key("channel", "text", "The channel."),
        Column("removal_effect", "double", "Part of all conversions lost without it, by Markov.", low=0, high=1),
        Column("first_conversions", "double", "Conversions that it opened."),
        Column("last_conversions", "double", "Conversions that it closed."),
        Column("assisted_conversions", "int", "Conversions in whose path it occurs but is not last."),
        _opt("assisted_per_last", "double", "Assisted per closed; above 1 it prepares more than it closes."),
        Column("new_customer_conversions", "int", "First purchases of a customer that it closed.", low=0),
        Column("returning_customer_conversions", "int", "Later purchases that it closed.", low=0),
    ),
)

OUTCOMES = ("converted", "purchases", "net_revenue", "margin")
METHODS = ("itt", "cuped", "did", "synthetic_control")

INCREMENTALITY = Table(
    name="incrementality",
    room="attribution",
    kind=Kind.MINED,
    row="What one campaign changed of one outcome by one method, with its interval, or why that cannot be said.",
    columns=(
        AS_OF,
        _key("campaign_id", "id", "The campaign."),
        _key(
            "outcome",
            "text",
            "Whether a customer bought, how often, for how much, what is kept.",
            allowed=OUTCOMES,
        ),
        _key("method", "text", "How it was reckoned.", allowed=METHODS),
        Column("n_treatment", "int", "Customers drawn for the campaign, or reached by it.", low=0),
        Column("n_control", "int", "Customers held out, or compared with.", low=0),
        _opt("mean_treatment", "double", "Mean of the outcome, campaign's start to 14 days after its end."),
        _opt("mean_control", "double", "Mean of those held out; weighted, with the change of time, without a draw."),
        _opt("effect", "double", "Change per customer drawn or reached."),
        _opt("effect_low", "double", "Lower end at 95 %."),
        _opt("effect_high", "double", "Upper end at 95 %."),
        _opt("p_value", "double", "Chance of an effect as large if there were none.", low=0, high=1),
        _opt("total_effect", "double", "Effect times the customers drawn or reached."),
        _opt("smallest_detectable_effect", "double", "What would be found four times of five.", low=0),
        _opt(
            "sample_ratio_p",
            "double",
            "Chance of so unequal groups by a fair draw; below .001 an alarm.",
            low=0,
            high=1,
        ),
        Column("label", "text", "What the figure rests on.", allowed=("experiment", "observational", "refused")),
        _opt("reason_code", "text", "Why there is no figure, or why it is in doubt."),
    ),
    checks=(
        Check(
            "refused_without_a_figure",
            "what is refused has a reason and no effect",
            lambda t: (t.label == "refused") & (t.effect.notnull() | t.reason_code.isnull()),
        ),
        Check(
            "interval_holds_effect",
            "low <= effect <= high",
            lambda t: (t.effect < t.effect_low) | (t.effect > t.effect_high),
        ),
    ),
)

THREE_WINS = Table(
    name="three_wins",
    room="attribution",
    kind=Kind.MINED,
    row="What the merchant, the customers and the platform got of one campaign, or of one merchant's offers.",
    columns=(
        AS_OF,
        _key("level", "text", "Of what.", allowed=("campaign", "merchant")),
        _key("id", "id", "The campaign or merchant."),
        Column("customers", "int", "Who received an offer of the campaign, or bought at the merchant.", low=0),
        _opt("incremental_visits", "double", "Purchases that the campaign caused, or the merchant's campaigns."),
        _opt("incremental_net_revenue", "money", "Net revenue that it caused."),
        _opt("media_cost", "money", "Money spent on it; of a merchant on the campaigns added up."),
        _opt("merchant_margin", "money", "Margin that it caused, after discounts, refunds and media."),
        _opt("merchant_margin_low", "money", "Lower end at 95 %."),
        _opt("merchant_margin_high", "money", "Upper end at 95 %."),
        _opt(
            "margin_share",
            "double",
            "Margin of a sale before discounts; null where several merchants sold.",
            low=0,
            high=1,
        ),
        Column("margin_basis", "text", "Who named that margin.", allowed=("merchant", "setting")),
        _opt("incremental_roi", "double", "Merchant's margin per money spent on media, after that; null if none was."),
        _opt("customer_savings", "money", "What purchases with it cost less than their list price."),
        Column("visits", "int", "Purchases of its customers at the merchant, of a campaign in its time.", low=0),
        Column("offers", "int", "Offers received.", low=0),
        Column("offers_per_visit", "double", "Offers received for each visit; as if one came where nobody did.", low=0),
        Column(
            "platform_retention_share",
            "double",
            "Of its customers who had bought anything earlier, those who bought anything in the last 90 days.",
            low=0,
            high=1,
        ),
        Column("visits_per_customer", "double", "Purchases anywhere in the last 90 days for each customer.", low=0),
        Column("label", "text", "What the margin rests on.", allowed=("experiment", "observational", "refused")),
        _opt("reason_code", "text", "Why there is no margin or no return, or why it is in doubt."),
    ),
    checks=(
        Check(
            "return_unexplained",
            "without a return per money spent there is a reason",
            lambda t: t.incremental_roi.isnull() & t.reason_code.isnull(),
        ),
        Check(
            "refused_without_a_margin",
            "what is refused has a reason and no margin",
            lambda t: (t.label == "refused") != t.merchant_margin.isnull(),
        ),
        Check(
            "interval_holds_margin",
            "low <= margin <= high",
            lambda t: (t.merchant_margin < t.merchant_margin_low) | (t.merchant_margin > t.merchant_margin_high),
        ),
    ),
)

STAGES = ("touched", "received", "ordered", "redeemed", "returned")

FUNNEL = Table(
    name="funnel",
    room="attribution",
    kind=Kind.MINED,
    row="How many people of one channel, device or merchant reached one stage in one window, and how many were lost.",
    columns=(
        AS_OF,
        *_window,
        _key("dimension", "text", "By what people are counted.", allowed=("total", "channel", "device", "merchant")),
        _key("id", "text", "The channel, device or merchant; (all) for everybody."),
        _key("stage", "text", "The stage.", allowed=STAGES),
        Column("position", "int", "1 for the first stage.", low=1, high=len(STAGES)),
        Column("people", "int", "Who reached it, or a later one.", low=0),
        Column("observed", "int", "Who was seen in this stage itself.", low=0),
        Column("share_of_first", "double", "Share of all who entered.", low=0, high=1),
        _opt("pass_share", "double", "Of those for whom it is decided, who went on.", low=0, high=1),
        Column("open", "int", "Who stands here and may still go on.", low=0),
        Column("lost", "int", "Who went no further.", low=0),
        _opt("lost_amount", "money", "Net amount had they gone on like the others; at most that."),
        _opt("spent_on_lost", "money", "Spent on touches of those lost here; null where no touch has a cost."),
        _opt("reservations", "int", "Reservations whose time has come; of ordered only.", low=0),
        _opt("no_shows", "int", "Reservations that nobody came for; of ordered only.", low=0),
        _opt("no_show_amount", "money", "What these had been ordered for; of ordered only."),
    ),
    checks=(
        Check("nobody_vanishes", "open and lost are among the people", lambda t: t.open + t.lost > t.people),
        Check("no_more_no_shows_than_reservations", "no_shows <= reservations", lambda t: t.no_shows > t.reservations),
    ),
)

O2O_B2C = Table(
    name="o2o_b2c",
    room="attribution",
    kind=Kind.MINED,
    row="One outcome of orders consumed in a store beside orders delivered, as if alike customers had placed both.",
    columns=(
        AS_OF,
        _key("dimension", "text", "Which orders.", allowed=("total", "channel", "category")),
        _key("id", "text", "The orders' channel or the merchants' category; (all) for every order."),
        _key(
            "outcome",
            "text",
            "Consumed or delivered; bought again in 90 days; paid; kept by the merchant; spent on its touches.",
            allowed=("converted", "repeat", "basket", "margin", "acquisition_cost"),
        ),
        Column("n_store", "int", "Online orders to be consumed in a store for which it is decided.", low=0),
        Column("n_delivered", "int", "Online orders delivered for which it is decided.", low=0),
        Column("customers", "int", "Who placed them.", low=0),
        Column("customers_of_both", "int", "Those of them who placed orders of both kinds.", low=0),
        _opt("mean_store", "double", "Weighted mean of the orders for the store; money in the home currency."),
        _opt("mean_delivered", "double", "Weighted mean of those delivered."),
        _opt("difference", "double", "Store less delivery, what is due to who the customers are taken out."),
        _opt("difference_low", "double", "Lower end at 95 %."),
        _opt("difference_high", "double", "Upper end at 95 %."),
        _opt("p_value", "double", "Chance of a difference as large if there were none.", low=0, high=1),
        _opt("plain_difference", "double", "Store less delivery without weights."),
        Column("label", "text", "What the figure rests on.", allowed=("observational", "refused")),
        _opt("reason_code", "text", "Why there is no figure."),
    ),
    checks=(
        Check(
            "refused_without_a_difference",
            "what is refused has a reason and no difference",
            lambda t: (t.label == "refused") & (t["difference"].notnull() | t.reason_code.isnull()),
        ),
        Check(
            "interval_holds_difference",
            "low <= difference <= high",
            lambda t: (t["difference"] < t.difference_low) | (t["difference"] > t.difference_high),
        ),
    ),
)

BUDGET_ADVICE = Table(
    name="budget_advice",
    room="attribution",
    kind=Kind.MINED,
    row="What one more unit of money would bring in one channel, and how urgent an experiment is there.",
    columns=(
        AS_OF,
        _key("channel", "text", "A channel that money was spent on."),
        Column("weeks", "int", "Weeks with spending that ended at least the lookback before the day.", low=1),
        Column("spent", "money", "Money spent in them.", low=0),
        Column("net_revenue", "money", "Net revenue that the campaigns' touches of those weeks are credited with."),
        Column("typical_spent", "money", "Money spent in a week, mean of the last 13 with spending.", low=0),
        Column("experiments", "int", "Campaigns of the channel that were drawn and compared.", low=0),
        _opt("caused_share", "double", "Purchases caused per purchase credited; null where no experiment speaks."),
        _opt("average_return", "double", "Net revenue caused per money spent; credited where no experiment speaks."),
        _opt("average_return_low", "double", "Lower end at 95 %."),
        _opt("average_return_high", "double", "Upper end at 95 %."),
        _opt("bend", "double", "Revenue grows as spending to this power; 1 is a straight line.", low=0, high=1),
        _opt("marginal_return", "double", "Net revenue that one more unit of money in a typical week brings."),
        _opt("marginal_return_low", "double", "Lower end at 95 %."),
        _opt("marginal_return_high", "double", "Upper end at 95 %."),
        Column("break_even_return", "double", "Marginal return that pays: one over the margin of what it sold.", low=1),
        Column("advice", "text", "What to do with the budget.", allowed=("raise", "lower", "test")),
        Column("at_stake", "money", "Money spent times what is not known of its return.", low=0),
        Column("test_rank", "int", "1 for the channel that an experiment should look at next.", low=1),
        Column("label", "text", "What the returns rest on.", allowed=("calibrated", "credited", "refused")),
        _opt("reason_code", "text", "Why there is no curve."),
    ),
    checks=(
        Check(
            "refused_without_a_return",
            "what is refused has a reason and no marginal return",
            lambda t: (t.label == "refused") != t.marginal_return.isnull(),
        ),
        Check(
            "interval_holds_marginal_return",
            "low <= marginal return <= high",
            lambda t: (t.marginal_return < t.marginal_return_low) | (t.marginal_return > t.marginal_return_high),
        ),
        Check(
            "raised_on_effects_only",
            "only what is calibrated is raised",
            lambda t: (t.advice == "raise") & (t.label != "calibrated"),
        ),
    ),
)

TABLES = (
    CAMPAIGN_ATTRIBUTION,
    INCREMENTALITY,
    BUDGET_ADVICE,
    THREE_WINS,
    FUNNEL,
    O2O_B2C,
    PATH_SUMMARY,
    PATH_HISTOGRAMS,
    CHANNEL_TRANSITIONS,
    CHANNEL_ROLES,
)
