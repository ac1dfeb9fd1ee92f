"""Writes a world in the layout of the Tianchi O2O coupon competition: three files, and the truth beside them.

Published, by its organisers and those who took part: the layout; 539,438 users, 8,415 merchants and 9,738 coupons in
1,754,884 offline rows, of which 1,053,282 are receipts (until 15 June) and 75,382 of these used; 11,429,826 online rows
of 762,858 users, 267,448 of them offline too, 872,357 rows with a coupon; in July 113,640 receipts of 76,309 users and
2,050 coupons at 1,559 merchants. Worlds of other sizes have these numbers in proportion to their customers, to a whole
row. Only uses, online actions and online coupons are drawn, and near it: 1 % at the full size, 5 % at 20,000 customers.

From memory: the shares of online actions (9.2 M clicks, 1.8 M purchases, 0.43 M receipts), online merchants and
coupons, 5,599 merchants with offline coupons, one row in sixteen without a distance. Assumed, no more than plausible:
which discounts there are, how distances, days, activity and popularity are spread, and every number behind the answers
(``tianchi_offline``). July's users and merchants are all known from before; in the true files two users and a merchant
are not. Visits hang on no coupon, and online rows on nothing but activity, popularity and the day. Ids count from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from o2o_mining.core.errors import UsageError
from o2o_mining.simulator.chance import Array, stream
from o2o_mining.simulator.tianchi_offline import (
    ALL_DAYS,
    DISCOUNTS,
    RECEIPT_DAYS,
    TRAIN_DAYS,
    UNKNOWN_DISTANCE,
    WITHIN,
    Answers,
    Coupons,
    Offline,
    Past,
    Rows,
    answer,
    constants,
    days_between,
    draw_coupons,
    draw_receipts,
    draw_visits,
    observable_chance,
    people,
    spread,
    true_chance,
    weighted_choice,
    zipf,
)
from o2o_mining.simulator.world import World

FULL = 539_438  # users of the published files
PUBLISHED = {
    "users": FULL, "merchants": 8_415, "coupon_merchants": 5_599, "coupons": 9_738, "rows": 1_754_884,
    "receipts": 1_053_282, "uses": 75_382, "july_receipts": 113_640, "july_users": 76_309, "july_coupons": 2_050,
    "july_merchants": 1_559, "online_rows": 11_429_826, "online_users": 762_858, "both": 267_448,
    "online_merchants": 7_999, "online_coupons": 27_748,
}  # fmt: skip
CLICK, BUY, RECEIVE, BUY_WITH_COUPON, BUY_FIXED = range(
    5
)  # what online rows are; the file calls the last three 1, 1, 1
ONLINE = (9_200_000, 1_357_469, 430_000, 310_811, 131_546)  # how many rows of each
ACTIONS = (0, 1, 2, 1, 1)
ONLINE_SPREAD = 1.3  # standard deviation of the logarithm of how active online users are
RECEIVED_BEFORE = 15  # days before the purchase that an online coupon was received, at most

TRAIN = ("User_id", "Merchant_id", "Coupon_id", "Discount_rate", "Distance", "Date_received", "Date")
ONLINE_TRAIN = ("User_id", "Merchant_id", "Action", "Coupon_id", "Discount_rate", "Date_received", "Date")
DAYS, END = TRAIN_DAYS, date(2016, 7, 1)  # of the log, and the first one after; July has receipts without answers
FILES = 7  # how many files are written
BLOCK = 1_000_000  # rows that are text at once
DATES = [str(day).replace("-", "") for day in np.datetime64("2016-01-01") + np.arange(ALL_DAYS)]


def refuse_what_it_cannot(world: World) -> None:
    """Refuse worlds that this layout has no room for: other scenarios, and other days than those it is fixed to.

    Raises
    ------
    UsageError
        If the scenario is not ``balanced`` or the days are not the default.

    Examples
    --------
    >>> refuse_what_it_cannot(World(customers=100))
    """
    if world.scenario != World.scenario or world.days != World.days:
        raise UsageError(
            f"the layout tianchi has no scenario '{world.scenario}' of {world.days} days: its dates are fixed",
            next_step=f"leave out --days, and take the scenario '{World.scenario}'",
        )


def write_tianchi(world: World, folder: Path, progress: Callable[[str, int, int], None]) -> dict[str, int]:
    """Write a world's three files and its truth into a folder that has a folder ``truth``.

    Parameters
    ----------
    world
        For its customers and its seed.
    folder
        Where to.
    progress
        Told the file just written, how many are done and how many there are.

    Returns
    -------
    dict of str to int
        Rows of each file, by its path without the ending.
    """
    size = {name: max(1, round(count * world.customers / FULL)) for name, count in PUBLISHED.items()}
    rows: dict[str, int] = {}

    def put(name: str, header: tuple[str, ...], blocks: Iterator[list[Any]]) -> None:
        with (folder / f"{name}.csv").open("wb") as file:
            rows[name] = _write(file, header, blocks)
        progress(name, len(rows), FILES)

    for name, header, blocks in _offline(world.seed, size):
        put(name, header, blocks)
    put("ccf_online_stage1_train", ONLINE_TRAIN, _online(world.seed, size))
    return rows


def _write(file: IO[bytes], header: tuple[str, ...], blocks: Iterator[list[Any]]) -> int:
    """Write a header and columns; no text of this layout needs quotes."""
    file.write((",".join(header) + "\n").encode())
    count = 0
    for columns in blocks:
        table = pa.table(dict(zip(header, columns, strict=True)))
        pa.csv.write_csv(table, file, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
        count += table.num_rows
    return count


def _blocks(count: int, columns: Callable[[slice], list[Any]]) -> Iterator[list[Any]]:
    """Make columns block by block, so that the text of few rows is held at once."""
    for at in range(0, count, BLOCK):
        yield columns(slice(at, at + BLOCK))


# -- offline -------------------------------------------------------------------------------------------------------


def _offline(seed: int, size: dict[str, int]) -> Iterator[tuple[str, tuple[str, ...], Iterator[list[Any]]]]:
    """Give name, header and rows of the offline files and of the truth."""
    offline = people(seed, users=size["users"], merchants=size["merchants"])
    rng = stream(seed, "tianchi rows")
    user = np.repeat(np.arange(size["users"]), spread(size["rows"], offline.activity, rng))
    receives = rng.permutation(len(user)) < size["receipts"]
    coupons = draw_coupons(
        offline, "until June", count=size["coupons"], merchants=size["coupon_merchants"], first=0, last=RECEIPT_DAYS
    )
    receipts = draw_receipts(offline, coupons, "until June", user[receives])
    c, d = constants(offline, receipts, coupons, uses=size["uses"])
    past = Past(receipts, answer(offline, receipts, coupons, "until June", c, d))
    file = _Train(past, draw_visits(offline, user[~receives]), coupons)
    yield "ccf_offline_stage1_train", TRAIN, _blocks(len(user), file.columns)
    yield "truth/receipt_probabilities", PROBABILITIES, _truth(offline, past, receipts, past.answers, file.lines)
    july = draw_coupons(
        offline,
        "in July",
        count=size["july_coupons"],
        merchants=size["july_merchants"],
        first=TRAIN_DAYS,
        last=ALL_DAYS,
    )
    known = weighted_choice(offline.activity, size["july_users"], rng)
    asked = np.repeat(known, spread(size["july_receipts"], offline.activity[known], rng))
    rows = draw_receipts(offline, july, "in July", asked)
    answers = answer(offline, rows, july, "in July", c, d)
    test = partial(_receipt_columns, rows, july, first_coupon=1 + size["coupons"])
    yield "ccf_offline_stage1_test_revised", TRAIN[:-1], _blocks(len(asked), test)
    lines = 2 + np.arange(len(asked))
    yield "truth/test_probabilities", PROBABILITIES, _truth(offline, past, rows, answers, lines)
    yield "truth/users", ("User_id", "kind"), iter([_kinds(offline.user_kind)])
    yield "truth/merchants", ("Merchant_id", "kind"), iter([_kinds(offline.merchant_kind)])


def _kinds(kind: Array) -> list[Any]:
    return [1 + np.arange(len(kind)), pa.array(["high", "middle", "low"]).take(pa.array(kind))]


PROBABILITIES = ("line", "p_true", "p_observable", "redeems")


def _truth(offline: Offline, past: Past, rows: Rows, answers: Answers, lines: Array) -> Iterator[list[Any]]:
    """Give each receipt's line of the file, its chances of a use within 15 days, and whether it was used by then."""
    true = np.round(true_chance(offline, rows, answers), 6)
    observable = np.round(observable_chance(offline, past, rows, answers), 6)
    redeems = (answers.delay >= 0) & (answers.delay <= WITHIN)
    yield [lines, true, observable, redeems]


class _Train:
    """The rows of the offline training file: receipts and visits of a user together, in the order of days."""

    def __init__(self, past: Past, visits: Rows, coupons: Coupons) -> None:
        receipts, delay = past.rows, past.answers.delay
        used = np.where((delay >= 0) & (receipts.day + delay < TRAIN_DAYS), receipts.day + delay, ALL_DAYS)
        both = [np.concatenate(pair) for pair in zip(_fields(receipts), _fields(visits), strict=True)]
        order = np.lexsort((both[-1], both[0]))
        self.rows = Rows(*(values[order] for values in both))
        self.date = np.concatenate([used, visits.day])[order]
        self.coupons = coupons
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self.lines = 2 + place[: len(receipts.user)]

    def columns(self, part: slice) -> list[Any]:
        return [*_receipt_columns(self.rows, self.coupons, part, first_coupon=1), _dates(self.date[part])]


def _fields(rows: Rows) -> tuple[Array, ...]:
    return rows.user, rows.merchant, rows.coupon, rows.distance, rows.day


def _receipt_columns(rows: Rows, coupons: Coupons, part: slice, *, first_coupon: int) -> list[Any]:
    """Return the columns that both offline files have; a visit has no coupon and is not received."""
    user, merchant, coupon, distance, day = (values[part] for values in _fields(rows))
    plain = coupon < 0
    discount = np.where(plain, len(DISCOUNTS), coupons.discount[coupon])
    return [
        1 + user, 1 + merchant, _numbers(first_coupon + coupon, plain), _words([*DISCOUNTS, "null"], discount),
        _numbers(distance, distance == UNKNOWN_DISTANCE), _dates(np.where(plain, ALL_DAYS, day)),
    ]  # fmt: skip


def _numbers(numbers: Array, missing: Array) -> Any:
    return pc.fill_null(pa.array(numbers, mask=missing).cast(pa.string()), "null")


def _words(words: list[str], index: Array) -> Any:
    return pa.array(words).take(pa.array(index))


def _dates(days: Array) -> Any:
    """Return dates as text; the day after the last one stands for none."""
    return _words([*DATES, "null"], days)


# -- online --------------------------------------------------------------------------------------------------------


def _online(seed: int, size: dict[str, int]) -> Iterator[list[Any]]:
    """Give the online rows, user by user: what they are, where and when is drawn for each row alone."""
    rng = stream(seed, "tianchi online")
    both = 1 + np.sort(rng.choice(size["users"], size["both"], replace=False))
    users = np.concatenate([both, 1 + size["users"] + np.arange(size["online_users"] - size["both"])])
    activity = np.exp(ONLINE_SPREAD * rng.standard_normal(len(users)))
    user = np.repeat(users, spread(size["online_rows"], activity, rng))
    # Numbered after the offline ones: no merchant and no coupon is in both.
    merchants = 1 + size["merchants"] + rng.permutation(size["online_merchants"])
    popular = np.cumsum(zipf(len(merchants)))
    first_coupon = 1 + size["coupons"] + size["july_coupons"]
    owner = _draw(popular, size["online_coupons"], rng)
    sought = np.cumsum(rng.gamma(2, size=len(owner)))
    discounts = rng.choice(len(DISCOUNTS), len(owner), p=list(DISCOUNTS.values()))
    names = [*DISCOUNTS, "fixed", "null"]

    def columns(part: slice) -> list[Any]:
        count = len(user[part])
        what = _draw(np.cumsum(ONLINE), count, rng)
        coupon = _draw(sought, count, rng)
        plain, fixed = (what == CLICK) | (what == BUY), what == BUY_FIXED
        none = plain | fixed
        merchant = merchants[np.where(none, _draw(popular, count, rng), owner[coupon])]
        day = days_between(np.zeros(count, np.int64), np.full(count, TRAIN_DAYS), rng)
        before = np.where(what == BUY_WITH_COUPON, rng.integers(0, RECEIVED_BEFORE, count, endpoint=True), 0)
        number = pc.if_else(pa.array(fixed), "fixed", _numbers(first_coupon + coupon, none))
        discount = np.where(plain, len(names) - 1, np.where(fixed, len(names) - 2, discounts[coupon]))
        received = np.where(plain, ALL_DAYS, np.maximum(day - before, 0))
        date = np.where(what == RECEIVE, ALL_DAYS, day)
        action = np.array(ACTIONS)[what]
        return [user[part], merchant, action, number, _words(names, discount), _dates(received), _dates(date)]

    return _blocks(len(user), columns)


def _draw(cumulative: Array, count: int, rng: np.random.Generator) -> Array:
    """Draw places by weights given as their running sum."""
    return np.asarray(np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right"))
