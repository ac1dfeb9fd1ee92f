"""The job on the Tianchi files as an analyst would write it with pandas, whole columns at a time.

It makes of the three files what the job makes: purchases, coupons in hand, journeys, credit by seven models, segments.
It keeps no ledger row by row, reckons no features and publishes no snapshot. Ids are read as whole numbers, and ties go
by the place in the files, where the job takes ids for text: no figure compared rests on either.

``python -m benchmarks.tianchi_pandas FOLDER OUT``
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# In the order in which they are loaded: of what two files say of one coupon, the later holds.
FILES = ("ccf_offline_stage1_test_revised.csv", "ccf_offline_stage1_train.csv", "ccf_online_stage1_train.csv")
NUMBERS = ("User_id", "Merchant_id")
TEXTS = ("Action", "Coupon_id", "Discount_rate", "Distance", "Date_received", "Date")  # few different ones each
TYPES = dict.fromkeys(NUMBERS, "int32") | dict.fromkeys(TEXTS, "category")
CLICK, ORDER, RECEIPT = "0", "1", "2"
LOOKBACK = pd.Timedelta(days=30)
HALF_LIFE = pd.Timedelta(days=7)
MODELS = ("first", "last", "last_non_direct", "linear", "position", "j_shaped", "time_decay")
BINS = 5
# Segments by recency score (down, from the best) and frequency score (across, from the least).
SEGMENTS = pd.DataFrame(
    [
        ["new_customers", "potential_loyalist", "potential_loyalist", "champions", "champions"],
        ["promising", "potential_loyalist", "potential_loyalist", "loyal", "loyal"],
        ["about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"],
        ["hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose_them"],
        ["lost", "hibernating", "at_risk", "at_risk", "cannot_lose_them"],
    ],
    index=range(BINS, 0, -1),
    columns=range(1, BINS + 1),
)


# -- reading and checking ------------------------------------------------------------------------------------------


class Log:
    """The feeds that the files make, and what became of their rows.

    Attributes
    ----------
    feeds
        Feed to its rows that passed the checks, one frame a file.
    quality
        One record per feed and file: rows read, accepted, quarantined, duplicate.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, list[pd.DataFrame]] = {}
        self.quality: list[dict[str, Any]] = []

    def add(self, feed: str, file: str, rows: pd.DataFrame, good: pd.Series, duplicates: int = 0) -> None:
        """Take the good rows, and count."""
        self.feeds.setdefault(feed, []).append(rows if good.all() else rows[good])
        bad = int((~good).sum())
        self.quality.append({
            "feed": feed, "file": file, "rows_read": len(rows), "rows_accepted": len(rows) - bad - duplicates,
            "rows_quarantined": bad, "rows_duplicate": duplicates,
        })  # fmt: skip

    def all(self, feed: str) -> pd.DataFrame:
        """Return the rows of a feed from all files."""
        return pd.concat(self.feeds[feed], ignore_index=True)


def read(folder: Path) -> Log:
    """Return the feeds of a folder; a line with too many fields stops it."""
    log, start = Log(), 0
    for name in FILES:
        read_csv: Any = pd.read_csv  # here and below: the stubs refuse what pandas takes
        t = read_csv(folder / name, dtype=TYPES, na_values=["null", ""], keep_default_na=False)
        for column in t.columns.intersection(TEXTS):  # read as numbers where all look like it
            t[column] = t[column].cat.rename_categories(t[column].cat.categories.astype("str"))
        t.index = pd.RangeIndex(start, start + len(t), name="id")
        start += len(t)
        if "Date" not in t:
            t["Date"] = pd.Series(index=t.index, dtype="category")
        (_online if "Action" in t else _offline)(log, name, t)
    return log


def _days(column: Any) -> pd.Series:
    """Return days; of the few different texts each is read once, and what is no day is NaT."""
    texts = column.cat.categories
    days = pd.to_datetime(texts.where(texts.str.fullmatch("[0-9]{8}")), format="%Y%m%d", errors="coerce")
    return pd.Series(days.as_unit("s").take(column.cat.codes, allow_fill=True, fill_value=pd.NaT), index=column.index)


def _coupon(t: pd.DataFrame) -> pd.Series:
    """Return the coupon; the unnumbered ones of a merchant are one of its own."""
    coupon = t.Coupon_id.astype("str")
    return coupon.mask(coupon == "fixed", "fixed:" + t.Merchant_id.astype("str"))


def _events(t: pd.DataFrame, day: str) -> pd.DataFrame:
    return pd.DataFrame({"customer": t.User_id, "at": _days(t[day])}).reset_index()


def _offline(log: Log, file: str, t: pd.DataFrame) -> None:
    near = t.Distance.isna() | t.Distance.isin([str(step) for step in range(11)])
    coupon, received, used = t.Coupon_id.notna(), t.Date_received.notna(), t.Date.notna()
    receipts = t[coupon & (received | ~used)]
    rows = _events(receipts, "Date_received").assign(coupon=_coupon(receipts).to_numpy())
    log.add("coupon_receipts", file, rows, rows["at"].notna() & near[receipts.index].to_numpy())
    if file != FILES[0]:
        visits = t[used | ~coupon]
        rows = _events(visits, "Date").assign(merchant=visits.Merchant_id.to_numpy())
        rows["coupon"] = _coupon(visits).to_numpy()
        rows["received"] = (coupon & received)[visits.index].to_numpy()
        log.add("offline_redemptions", file, rows, rows["at"].notna() & near[visits.index].to_numpy())
    _coupons(log, file, t[coupon])


def _online(log: Log, file: str, t: pd.DataFrame) -> None:
    action = t.Action
    touches = t[(action != ORDER) & (action != RECEIPT)]
    rows = _events(touches, "Date")
    log.add("touches", file, rows, rows["at"].notna() & (action[touches.index] == CLICK).to_numpy())
    orders = t[action == ORDER]
    rows = _events(orders, "Date").assign(merchant=orders.Merchant_id.to_numpy(), coupon=_coupon(orders).to_numpy())
    log.add("online_orders", file, rows, rows["at"].notna())
    receipts = t[action == RECEIPT]
    rows = _events(receipts, "Date_received").assign(coupon=_coupon(receipts).to_numpy())
    log.add("coupon_receipts", file, rows, rows["at"].notna())
    _coupons(log, file, t[t.Coupon_id.notna()])


def _coupons(log: Log, file: str, t: pd.DataFrame) -> None:
    """Add what a file says of coupons, at the last row that says it."""
    rows = pd.DataFrame({"coupon": _coupon(t), "merchant": t.Merchant_id, "said": t.Discount_rate.astype("str")})
    rows = rows.drop_duplicates(keep="last").reset_index(drop=True)
    said = rows.said.mask(rows.coupon.str.startswith("fixed:") | (rows.said == "fixed"))
    rate = said.where(said.str.fullmatch(r"[0-9]+(\.[0-9]+)?", na=False)).astype("float64")
    parts = said.str.extract(r"^([0-9]{1,16}(?:\.[0-9]{1,2})?):([0-9]{1,16}(?:\.[0-9]{1,2})?)$").astype("float64")
    rows["threshold"], rows["discount"] = parts[0], (1 - rate).round(9).fillna(parts[1])
    good = said.isna() | ((rate > 0) & (rate < 1)) | parts[0].notna()
    rows = rows.drop(columns="said")
    kept = rows[good].drop_duplicates("coupon", keep="last")
    if known := log.feeds.get("coupons"):
        earlier = pd.concat(known).drop_duplicates("coupon", keep="last")
        kept = kept[~pd.MultiIndex.from_frame(kept).isin(pd.MultiIndex.from_frame(earlier))]
    log.add("coupons", file, rows, good, duplicates=int(good.sum()) - len(kept))


# -- mining --------------------------------------------------------------------------------------------------------


def purchases(log: Log) -> pd.DataFrame:
    """Return one payment a row: every order, and every visit, for none names an order."""
    sources = {"online": log.all("online_orders"), "offline": log.all("offline_redemptions")}
    bought = pd.concat([rows.assign(source=source) for source, rows in sources.items()], ignore_index=True)
    bought = bought.astype({"source": "category"}).assign(paid_amount=np.nan)
    bought = bought.sort_values(["at", "id"], ignore_index=True)
    return bought.rename_axis("purchase").reset_index()


def coupons_in_hand(log: Log) -> pd.DataFrame:
    """Return one coupon received or used a row, with its state: a coupon without an end is open or redeemed."""
    receipts, visits, orders = (log.all(feed) for feed in ("coupon_receipts", "offline_redemptions", "online_orders"))
    uses = pd.concat([visits, orders.assign(received=False)], ignore_index=True)
    uses = uses[uses.coupon.notna()]
    named = uses[uses.received & uses.id.isin(receipts.id)]
    taken = named[["id", "at"]].rename(columns={"at": "redeemed_at"})
    unnamed = uses[~uses.received]
    found = _first_in_first_out(receipts[~receipts.id.isin(taken.id)], unnamed)
    held = receipts.merge(pd.concat([taken, found.drop(columns="use")]), on="id", how="left")
    loose = uses[~uses.id.isin(pd.concat([taken.id, found.use]))]
    loose = loose.assign(received_at=loose["at"], redeemed_at=loose["at"], is_receipt=False)
    held = held.rename(columns={"at": "received_at"}).assign(is_receipt=True)
    columns = ["id", "customer", "coupon", "received_at", "redeemed_at", "is_receipt"]
    every = pd.concat([held[columns], loose[columns]], ignore_index=True)
    every["state"] = np.where(every.redeemed_at.notna(), "redeemed", "open")
    lag: Any = every.redeemed_at - every.received_at
    days = lag / pd.Timedelta(days=1)
    every["days_to_redeem"] = days.where(every.is_receipt & (days >= 0))
    return every


def _first_in_first_out(receipts: pd.DataFrame, uses: pd.DataFrame) -> pd.DataFrame:
    """Return receipts with the use that takes them: each use takes the earliest one still unused."""
    keys = ["customer", "coupon"]
    given = receipts.merge(uses[keys].drop_duplicates(), on=keys).assign(step=1)
    t = pd.concat([given, uses.assign(step=-1)], ignore_index=True)
    t = t.sort_values([*keys, "at", "step", "id"], ascending=[True, True, True, False, True], ignore_index=True)
    group = t.groupby(keys, sort=False).ngroup()
    # The lowest that the stock has been below nothing counts the uses that found no receipt.
    short = t.step.groupby(group).cumsum().groupby(group).cummin().clip(upper=0)
    found = short == short.groupby(group).shift(fill_value=0)
    t["group"] = group
    sides = (t[t.step == 1], t[(t.step == -1) & found])
    givers, takers = (side.assign(nth=side.groupby("group").cumcount()) for side in sides)
    taken = givers.merge(takers, on=["group", "nth"], suffixes=("", "_use"))
    return taken[["id", "id_use", "at_use"]].rename(columns={"id_use": "use", "at_use": "redeemed_at"})


def journeys(log: Log, bought: pd.DataFrame, now: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the touches that serve a purchase, and one row per journey that led to none."""
    touches = log.all("touches")
    touches = touches[touches["at"] < now].sort_values(["at", "id"], ignore_index=True)
    first = bought.drop_duplicates(["customer", "at"])[["customer", "at", "purchase"]]
    served = pd.merge_asof(touches, first, on="at", by="customer", direction="forward", tolerance=LOOKBACK)
    used = served.loc[served.purchase.notna(), ["purchase", "at", "id"]].astype({"purchase": "int64"})
    rest = served[served.purchase.isna()].sort_values(["customer", "at", "id"])
    gap = rest["at"].diff()
    opens = (rest.customer != rest.customer.shift()) | (gap > LOOKBACK)
    unconverted = rest.groupby(opens.cumsum()).agg(
        customer=("customer", "first"), started_at=("at", "min"), ended_at=("at", "max"), n_touches=("id", "size")
    )
    unconverted = unconverted[unconverted.ended_at + LOOKBACK < now]
    return used.rename(columns={"at": "touched_at"}), unconverted.reset_index(drop=True)


def shares(bought: pd.DataFrame, used: pd.DataFrame) -> pd.DataFrame:
    """Return one touch a row with its share of its purchase by every model; no touch counts as one of ``direct``."""
    t: Any = bought[["purchase", "at", "paid_amount"]].merge(used, on="purchase", how="left")
    t = t.sort_values(["purchase", "touched_at", "id"], ignore_index=True)
    # The files name no channel and no campaign: a touch was online, and a purchase without any is direct.
    t["channel"] = pd.Categorical(["online", "direct"], categories=["online", "direct"]).take(
        t.id.isna().astype("int64")
    )
    t["campaign"] = pd.Categorical(["(none)"]).take(np.zeros(len(t), dtype="int64"))
    group = t.groupby("purchase")
    place, n = group.cumcount() + 1, group["paid_amount"].transform("size")
    first, last, one, two = place == 1, place == n, n == 1, n == 2
    named = place.where(t.channel != "direct", 0)
    latest = named.groupby(t.purchase).transform("max")
    t["first"], t["last"], t["linear"] = first.astype("float64"), last.astype("float64"), 1 / n
    t["last_non_direct"] = (place == latest.where(latest > 0, n)).astype("float64")
    between = 0.2 / (n - 2).clip(lower=1)
    t["position"] = np.select([one, two, first | last], [1.0, 0.5, 0.4], between)
    t["j_shaped"] = np.select([one, two & first, two, first, last], [1.0, 0.25, 0.75, 0.2, 0.6], between)
    weight = 2 ** -((t["at"] - t.touched_at) / HALF_LIFE).fillna(0)
    t["time_decay"] = weight / weight.groupby(t.purchase).transform("sum")
    shared: pd.DataFrame = t
    return shared


def credit(shared: pd.DataFrame) -> pd.DataFrame:
    """Return conversions and revenue by level, id and model."""
    amount = shared.paid_amount.fillna(0)
    found = []
    for level in ("channel", "campaign"):
        conversions = shared.groupby(level, observed=False)[list(MODELS)].sum()
        revenue = shared[list(MODELS)].mul(amount, axis=0).groupby(shared[level], observed=False).sum().round(2)
        both = {"conversions": conversions.stack(), "revenue": revenue.stack()}
        found.append(pd.DataFrame(both).rename_axis(["id", "model"]).reset_index().assign(level=level))
    return pd.concat(found, ignore_index=True).astype({"id": "str"})


def segments(log: Log, bought: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Return everybody seen before the day: scores and named segment of those who bought, and the others."""
    rfm = bought.groupby("customer").agg(last=("at", "max"), frequency=("at", "size"))
    rfm.insert(0, "recency_days", (now - rfm.pop("last")).dt.days)
    best_last = {"r_score": -rfm.recency_days, "f_score": rfm.frequency}
    for name, value in best_last.items():
        rfm[name] = (1 + BINS * (value.rank(method="average") - 0.5) // len(rfm)).astype("int64")
    by_scores: Any = SEGMENTS.stack()
    named = by_scores.rename("segment_code").rename_axis(["r_score", "f_score"])
    rfm = rfm.join(named, on=["r_score", "f_score"])
    seen = [bought.customer.unique()]
    for feed in ("touches", "coupon_receipts"):
        rows = log.all(feed)
        seen.append(rows.customer[rows["at"] < now].unique())
    everybody = rfm.reindex(pd.unique(np.concatenate(seen))).rename_axis("customer_id").reset_index()
    everybody["frequency"] = everybody.frequency.fillna(0).astype("int64")
    everybody["customer_id"] = everybody.customer_id.astype("str")
    return everybody.sort_values("customer_id", ignore_index=True)


# -- the job -------------------------------------------------------------------------------------------------------


def mine(folder: Path, out: Path) -> dict[str, dict[str, float]]:
    """Mine a folder, write the tables that are compared as Parquet, and return what each stage took."""
    stages: dict[str, dict[str, float]] = {}
    with _timed(stages, "read and check"):
        log = read(folder)
    with _timed(stages, "purchases"):
        bought = purchases(log)
        now = bought["at"].max().normalize() + pd.Timedelta(days=1)
    with _timed(stages, "coupons in hand"):
        held = coupons_in_hand(log)
    with _timed(stages, "journeys"):
        used, unconverted = journeys(log, bought, now)
    with _timed(stages, "attribution"):
        credited = credit(shares(bought, used))
    with _timed(stages, "segments"):
        segmented = segments(log, bought, now)
    with _timed(stages, "write"):
        counts = {"journeys": [len(bought), len(unconverted)], "n_touches": [len(used), unconverted.n_touches.sum()]}
        states = held.groupby("state").agg(coupons=("id", "size"), days=("days_to_redeem", "sum"))
        tables = {
            "data_quality": pd.DataFrame(log.quality),
            "purchases": bought.groupby("source", observed=True).size().rename("purchases").reset_index(),
            "coupon_lifecycle": states.reset_index(),
            "journeys": pd.DataFrame({"converted": [True, False], **counts}),
            "campaign_attribution": credited,
            "segments": segmented,
        }
        out.mkdir(exist_ok=True)
        for name, table in tables.items():
            table.to_parquet(out / f"{name}.parquet")
    return stages


@contextmanager
def _timed(stages: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    stages[name] = {
        "wall (s)": time.perf_counter() - wall,
        "CPU (s)": time.process_time() - cpu,
        "peak so far (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(mine(Path(sys.argv[1]), Path(sys.argv[2]))))  # noqa: T201 - read by the parent process
