"""The offline half of a world in the Tianchi layout: who received which coupon, who used it, what could be known.

A coupon can be used in two ways, and the days until its use tell which. At once, within four days of the receipt, with
the chance ``at_once``: that hangs on the merchant's hidden kind. Else as an errand, 4 to 30 days after it, with the
chance ``errand``: that hangs on the user's hidden kind. Both rise with the discount and fall with the distance::

    logit at_once = c + MERCHANT_KINDS + DISCOUNT * (share off - .2) - PER_STEP * (steps of 500 m)
    logit errand  = d + USER_KINDS     + DISCOUNT * (share off - .2) - PER_STEP * (steps of 500 m)

So the likelihood of all that happened is one factor of merchants' kinds times one of users' kinds, the two kinds stay
independent given the past, and the best estimate is a closed form without draws: each kind's posterior is that of
three values, from the receipts of one merchant and of one user. c and d are set such that the expected number of uses
is the published one, and count as known. Who receives what, and visits without a coupon, hang on no kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_mining.simulator.chance import Array, logistic, running, stream

TRAIN_DAYS, RECEIPT_DAYS, ALL_DAYS = 182, 167, 213  # from 1 January 2016 to 30 June, to 15 June, to 31 July
FRIDAY = 4  # the weekday of 1 January 2016
ACTIVITY_SPREAD = 1.2  # standard deviation of the logarithm of how active users are
POPULARITY = 1.0  # exponent of Zipf's law over merchants
COUPON_SPREAD = 0.7  # standard deviation of the logarithm of how sought coupons of one merchant are
WINDOW = (14, 60)  # days during which a coupon is handed out
WEEKDAYS = (0.90, 0.88, 0.90, 0.95, 1.10, 1.30, 1.17)  # how busy days are, Monday first
DISCOUNTS = {
    "30:5": 0.16, "100:10": 0.13, "20:5": 0.11, "50:10": 0.10, "10:5": 0.07, "30:10": 0.06, "200:20": 0.06,
    "100:30": 0.05, "20:1": 0.05, "50:5": 0.04, "150:20": 0.04, "50:20": 0.03, "200:30": 0.03, "100:20": 0.03,
    "0.95": 0.02, "0.9": 0.015, "0.8": 0.005,
}  # fmt: skip
DISTANCES = (0.48, 0.13, 0.075, 0.05, 0.035, 0.03, 0.022, 0.018, 0.015, 0.012, 0.0725, 0.0605)  # the last is unknown
UNKNOWN_DISTANCE = 11
UNKNOWN_AS = 4.0  # steps of 500 m that an unknown distance counts as

KIND_SHARES = ((0.15, 0.45, 0.40), (0.08, 0.32, 0.60))  # of merchants and of users
MERCHANT_KINDS = (1.6, 0.0, -2.0)
USER_KINDS = (3.5, 0.0, -3.0)
DISCOUNT, PER_STEP = 4.0, 0.15
AT_ONCE_SHARE = 0.4  # of the uses
AT_ONCE_DAYS = (0.40, 0.25, 0.20, 0.15)  # used on the day of the receipt, one day later, …
ERRAND_FIRST, ERRAND_LAST, ERRAND_DECAY = 4, 30, 0.88
WITHIN = 15  # days of the competition's question
CHUNK = 100_000  # receipts whose users' pasts are held at once


def _by_then() -> tuple[Array, Array]:
    """Return the chance that a use at once, or an errand, has been made by a number of days after the receipt."""
    errand = np.zeros(ERRAND_LAST + 1)
    errand[ERRAND_FIRST:] = ERRAND_DECAY ** np.arange(ERRAND_LAST + 1 - ERRAND_FIRST)
    return np.cumsum(AT_ONCE_DAYS), np.cumsum(errand / errand.sum())


AT_ONCE_BY, ERRAND_BY = _by_then()


@dataclass(frozen=True)
class Offline:
    """Sizes and hidden states: users by activity and kind, merchants by popularity and kind."""

    seed: int
    activity: Array
    user_kind: Array
    popularity: Array
    merchant_kind: Array


@dataclass(frozen=True)
class Coupons:
    """Coupons: whose, which discount as a number in ``DISCOUNTS``, handed out from ``start`` to before ``end``."""

    merchant: Array
    discount: Array
    start: Array
    end: Array
    weight: Array


@dataclass(frozen=True)
class Rows:
    """Receipts or visits, sorted by user and day; of visits ``coupon`` is -1."""

    user: Array
    merchant: Array
    coupon: Array
    distance: Array
    day: Array


@dataclass(frozen=True)
class Answers:
    """What came of receipts: chances by kind, shape (n, 3), and in how many days they were used, -1 for never."""

    at_once: Array
    errand: Array
    delay: Array


def zipf(count: int) -> Array:
    """Return the weights of Zipf's law, the largest first."""
    return np.asarray(np.arange(1, count + 1) ** -POPULARITY)


def spread(total: int, weights: Array, rng: np.random.Generator) -> Array:
    """Give everybody one, and the rest by their weights.

    Examples
    --------
    >>> spread(10, np.array([1.0, 2.0, 3.0]), np.random.default_rng(1)).sum()
    np.int64(10)
    """
    return np.asarray(1 + rng.multinomial(total - len(weights), weights / weights.sum()))


def people(seed: int, *, users: int, merchants: int) -> Offline:
    """Draw the hidden states."""
    rng = stream(seed, "tianchi people")
    return Offline(
        seed=seed,
        activity=np.exp(ACTIVITY_SPREAD * rng.standard_normal(users)),
        user_kind=rng.choice(3, users, p=KIND_SHARES[1]),
        popularity=rng.permutation(zipf(merchants)),
        merchant_kind=rng.choice(3, merchants, p=KIND_SHARES[0]),
    )


def draw_coupons(offline: Offline, subject: str, *, count: int, merchants: int, first: int, last: int) -> Coupons:
    """Draw coupons of some of the merchants, popular ones first, handed out within ``first`` to before ``last``."""
    rng = stream(offline.seed, f"tianchi coupons {subject}")
    who = weighted_choice(offline.popularity, min(merchants, count), rng)
    each = spread(count, offline.popularity[who], rng)
    merchant = np.repeat(who, each)
    start = rng.integers(first, last, count)
    return Coupons(
        merchant=merchant,
        discount=rng.choice(len(DISCOUNTS), count, p=list(DISCOUNTS.values())),
        start=start,
        end=np.minimum(start + rng.integers(*WINDOW, count, endpoint=True), last),
        weight=offline.popularity[merchant]
        / np.repeat(each, each)
        * np.exp(COUPON_SPREAD * rng.standard_normal(count)),
    )


def weighted_choice(weights: Array, count: int, rng: np.random.Generator) -> Array:
    """Draw different places, heavier ones more often, and return them in order."""
    return np.sort(np.argsort(rng.exponential(size=len(weights)) / weights)[:count])


def draw_receipts(offline: Offline, coupons: Coupons, subject: str, user: Array) -> Rows:
    """Give each of the users, who may stand several times, one coupon on one day."""
    rng = stream(offline.seed, f"tianchi receipts {subject}")
    coupon = rng.permutation(np.repeat(np.arange(len(coupons.weight)), spread(len(user), coupons.weight, rng)))
    day = days_between(coupons.start[coupon], coupons.end[coupon], rng)
    return _sorted(offline, user, coupons.merchant[coupon], coupon, day)


def draw_visits(offline: Offline, user: Array) -> Rows:
    """Give each of the users, who may stand several times, one visit without a coupon."""
    rng = stream(offline.seed, "tianchi visits")
    merchants = np.arange(len(offline.popularity))
    merchant = rng.permutation(np.repeat(merchants, spread(len(user), offline.popularity, rng)))
    day = days_between(np.zeros(len(user), np.int64), np.full(len(user), TRAIN_DAYS), rng)
    return _sorted(offline, user, merchant, np.full(len(user), -1), day)


def days_between(start: Array, end: Array, rng: np.random.Generator) -> Array:
    """Draw days from ``start`` to before ``end``, busy ones more often."""
    busy = np.array(WEEKDAYS)[(np.arange(ALL_DAYS) + FRIDAY) % 7]
    busy[24:38] *= 1.4  # the fortnight before the Spring Festival of 8 February
    busy[38:45] *= 0.6
    until = np.concatenate([[0.0], np.cumsum(busy)])
    at = until[start] + rng.random(len(start)) * (until[end] - until[start])
    return np.asarray(np.clip(np.searchsorted(until, at, side="right") - 1, start, end - 1))


def _sorted(offline: Offline, user: Array, merchant: Array, coupon: Array, day: Array) -> Rows:
    order = np.lexsort((day, user))
    user, merchant = user[order], merchant[order]
    return Rows(user, merchant, coupon[order], _distance(offline.seed, user, merchant), day[order])


def _distance(seed: int, user: Array, merchant: Array) -> Array:
    """Return the distance of user and merchant: always the same for the same two, so drawn by mixing their numbers."""
    salt = stream(seed, "tianchi distances").integers(2**63, dtype=np.uint64)
    mixed = (user.astype(np.uint64) << np.uint64(32)) ^ merchant.astype(np.uint64) ^ salt
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # the finish of splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    uniform = (mixed ^ (mixed >> np.uint64(31))) / 2.0**64
    return np.asarray(np.searchsorted(np.cumsum(DISTANCES)[:-1], uniform, side="right"))


def share_off(discount: str) -> float:
    """Return the share of the price that a discount takes off, of a threshold's at the threshold.

    Examples
    --------
    >>> share_off("150:20"), share_off("0.9")
    (0.13333333333333333, 0.1)
    """
    least, _, off = discount.partition(":")
    return float(off) / float(least) if off else round(1 - float(least), 6)


def _appeal(rows: Rows, coupons: Coupons) -> Array:
    off = np.array([share_off(discount) for discount in DISCOUNTS])[coupons.discount[rows.coupon]]
    steps = np.where(rows.distance == UNKNOWN_DISTANCE, UNKNOWN_AS, rows.distance)
    return np.asarray(DISCOUNT * (off - 0.2) - PER_STEP * steps)


def constants(offline: Offline, rows: Rows, coupons: Coupons, *, uses: int) -> tuple[float, float]:
    """Return c and d, with which the expected number of uses before July is the one given."""
    appeal = _appeal(rows, coupons)
    by_merchant = np.array(MERCHANT_KINDS)[offline.merchant_kind[rows.merchant]]
    by_user = np.array(USER_KINDS)[offline.user_kind[rows.user]]
    seen = ERRAND_BY[np.minimum(TRAIN_DAYS - 1 - rows.day, ERRAND_LAST)]
    c = _solve(appeal + by_merchant, np.ones(len(appeal)), uses * AT_ONCE_SHARE)
    left = seen * (1 - logistic(c + appeal + by_merchant))
    return c, _solve(appeal + by_user, left, uses * (1 - AT_ONCE_SHARE))


def _solve(score: Array, weight: Array, total: float) -> float:
    low, high = -20.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        if float(weight @ logistic(middle + score)) < total:
            low = middle
        else:
            high = middle
    return high


def answer(offline: Offline, rows: Rows, coupons: Coupons, subject: str, c: float, d: float) -> Answers:
    """Draw what comes of receipts."""
    rng = stream(offline.seed, f"tianchi answers {subject}")
    appeal = _appeal(rows, coupons)[:, None]
    at_once = logistic(c + appeal + np.array(MERCHANT_KINDS))
    errand = logistic(d + appeal + np.array(USER_KINDS))
    number = np.arange(len(rows.user))
    soon = rng.random(len(number)) < at_once[number, offline.merchant_kind[rows.merchant]]
    later = ~soon & (rng.random(len(number)) < errand[number, offline.user_kind[rows.user]])
    days = rng.random(len(number))
    delay: Array = np.full(len(number), -1)
    delay[soon] = np.searchsorted(AT_ONCE_BY[:-1], days[soon], side="right")
    delay[later] = np.searchsorted(ERRAND_BY[:-1], days[later], side="right")
    return Answers(at_once, errand, delay)


def true_chance(offline: Offline, rows: Rows, answers: Answers) -> Array:
    """Return the chance of a use within 15 days, the hidden kinds known."""
    number = np.arange(len(rows.user))
    soon = answers.at_once[number, offline.merchant_kind[rows.merchant]]
    later = answers.errand[number, offline.user_kind[rows.user]]
    return np.asarray(soon + (1 - soon) * later * ERRAND_BY[WITHIN])


@dataclass(frozen=True)
class Past:
    """The receipts that the training file holds, and what came of them."""

    rows: Rows
    answers: Answers

    def merchant_evidence(self, merchants: int) -> Array:
        """Return the log likelihood of merchants' kinds before each day, shape (merchants, days + 1, 3).

        A receipt speaks on each of the four mornings after it: used by then, or not yet.
        """
        width = TRAIN_DAYS + 1
        evidence = np.zeros((merchants * width, 3))
        said = np.zeros_like(self.answers.at_once)
        for age, by_then in enumerate(AT_ONCE_BY, start=1):
            used = (self.answers.delay >= 0) & (self.answers.delay < age)
            says = np.where(used[:, None], np.log(self.answers.at_once), np.log1p(-by_then * self.answers.at_once))
            cell = self.rows.merchant * width + self.rows.day + age
            for kind in range(3):
                evidence[:, kind] += np.bincount(cell, (says - said)[:, kind], len(evidence))
            said = says
        return np.asarray(np.cumsum(evidence.reshape(merchants, width, 3), axis=1))

    def user_evidence(self, user: Array, day: Array, before: Array) -> Array:
        """Return the log likelihood of users' kinds before a day, shape (n, 3).

        Parameters
        ----------
        user, day
            Whose kind, and before which day.
        before
            How many of the user's receipts to look at, in the order of the rows; those of the day itself say nothing.
        """
        delay, errand = self.answers.delay, self.answers.errand
        first = np.searchsorted(self.rows.user, user)
        evidence = np.zeros((len(user), 3))
        for at in range(0, len(user), CHUNK):
            part = slice(at, at + CHUNK)
            count = before[part]
            asked = np.repeat(np.arange(len(count)), count)
            told = np.repeat(first[part], count) + running(count)
            age = day[part][asked] - self.rows.day[told]
            used = ((delay[told] >= 0) & (delay[told] < age))[:, None]
            by_then = ERRAND_BY[np.clip(age - 1, 0, ERRAND_LAST)][:, None]
            says = np.where(used, np.log(errand[told]), np.log1p(-by_then * errand[told]))
            says[(delay[told] >= 0) & (delay[told] < ERRAND_FIRST)] = 0  # used at once: no word on errands
            for kind in range(3):
                evidence[part, kind] = np.bincount(asked, says[:, kind], len(count))
        return evidence


def observable_chance(offline: Offline, past: Past, rows: Rows, answers: Answers) -> Array:
    """Return the chance of a use within 15 days, given what the training file shows before the day of the receipt.

    Exact: both kinds are summed out. Of receipts after June everything until the end of June is known.
    """
    day = np.minimum(rows.day, TRAIN_DAYS)
    first = np.searchsorted(past.rows.user, rows.user)
    # Of the training file's own receipts those before this one, of July's all that the user had.
    last = np.arange(len(first)) if rows is past.rows else np.searchsorted(past.rows.user, rows.user, side="right")
    before = last - first
    by_merchant = past.merchant_evidence(len(offline.popularity))[rows.merchant, day]
    by_user = past.user_evidence(rows.user, day, before)
    soon = (_posterior(KIND_SHARES[0], by_merchant) * answers.at_once).sum(axis=1)
    later = (_posterior(KIND_SHARES[1], by_user) * answers.errand).sum(axis=1)
    return np.asarray(soon + (1 - soon) * later * ERRAND_BY[WITHIN])


def _posterior(prior: tuple[float, ...], evidence: Array) -> Array:
    weight = np.array(prior) * np.exp(evidence - evidence.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
