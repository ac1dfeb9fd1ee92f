"""The Tianchi layout: its letter, its published proportions, and a truth that a model can be held against."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.simulator import World, tianchi_offline, write
from o2o_mining.simulator.tianchi import FULL

CUSTOMERS = 20_000
TRAIN, ONLINE, TEST = "ccf_offline_stage1_train", "ccf_online_stage1_train", "ccf_offline_stage1_test_revised"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tianchi") / "w"
    write(World(customers=CUSTOMERS, seed=3), path, "tianchi")
    return path


def _read(folder: Path, name: str) -> pd.DataFrame:
    """Read a file as text, the word null as it stands."""
    return pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def train(folder: Path) -> pd.DataFrame:
    return _read(folder, TRAIN)


@pytest.fixture(scope="module")
def receipts(folder: Path, train: pd.DataFrame) -> pd.DataFrame:
    """Give the receipts of the offline file with the truth of their lines."""
    truth = pd.read_csv(folder / "truth" / "receipt_probabilities.csv")
    rows = train.assign(line=np.arange(len(train)) + 2).merge(truth, on="line", validate="one_to_one")
    assert len(rows) == len(truth) == (train["Coupon_id"] != "null").sum()
    return rows


def _near(value: float, published: float) -> None:
    assert value == pytest.approx(published * CUSTOMERS / FULL, rel=0.05)


def test_offline_proportions_are_the_published_ones(train: pd.DataFrame) -> None:
    received, used = train["Date_received"] != "null", train["Date"] != "null"
    _near(len(train), 1_754_884)
    _near(received.sum(), 1_053_282)
    _near((received & used).sum(), 75_382)
    _near((~received).sum(), 701_602)
    assert train["User_id"].nunique() == CUSTOMERS
    _near(train["Merchant_id"].nunique(), 8_415)
    _near(train.loc[received, "Coupon_id"].nunique(), 9_738)


def test_online_proportions_are_the_published_ones(folder: Path, train: pd.DataFrame) -> None:
    online = _read(folder, ONLINE)
    _near(len(online), 11_429_826)
    _near(online["User_id"].nunique(), 762_858)
    _near(online.loc[online["User_id"].isin(train["User_id"]), "User_id"].nunique(), 267_448)
    _near((online["Coupon_id"] != "null").sum(), 872_357)
    for action, count in (("0", 9_200_000), ("1", 1_800_000), ("2", 430_000)):
        _near((online["Action"] == action).sum(), count)


def test_july_proportions_are_the_published_ones(folder: Path, train: pd.DataFrame) -> None:
    july = _read(folder, TEST)
    _near(len(july), 113_640)
    _near(july["User_id"].nunique(), 76_309)
    _near(july["Coupon_id"].nunique(), 2_050)
    _near(july["Merchant_id"].nunique(), 1_559)
    assert july["User_id"].isin(train["User_id"]).all()


def test_headers_are_those_of_the_competition(folder: Path) -> None:
    def header(name: str) -> bytes:
        with (folder / f"{name}.csv").open("rb") as file:
            return file.readline()

    assert header(TRAIN) == b"User_id,Merchant_id,Coupon_id,Discount_rate,Distance,Date_received,Date\n"
    assert header(ONLINE) == b"User_id,Merchant_id,Action,Coupon_id,Discount_rate,Date_received,Date\n"
    assert header(TEST) == b"User_id,Merchant_id,Coupon_id,Discount_rate,Distance,Date_received\n"


def test_every_value_has_a_form_of_the_layout(folder: Path) -> None:
    forms = {
        "User_id": r"\d+", "Merchant_id": r"\d+", "Action": "[012]", "Discount_rate": r"\d+:\d+|0\.\d+|null",
        "Coupon_id": r"\d+|null", "Distance": r"\d|10|null", "Date_received": "20160[1-6]\\d\\d|null",
        "Date": "20160[1-6]\\d\\d|null",
    }  # fmt: skip
    for name in (TRAIN, ONLINE, TEST):
        rows = _read(folder, name)
        july, fixed = {"Date_received": r"201607\d\d"}, {"Discount_rate": forms["Discount_rate"] + "|fixed"}
        allowed = forms | {TEST: july, ONLINE: fixed | {"Coupon_id": r"\d+|null|fixed"}, TRAIN: {}}[name]
        for column in map(str, rows):
            wrong = [value for value in rows[column].unique() if not re.fullmatch(allowed[column], value)]
            assert wrong == [], f"{name}.{column}"
        dates = rows[[column for column in allowed if column.startswith("Date") and column in rows]].to_numpy().ravel()
        pd.to_datetime(pd.Series(dates[dates != "null"]), format="%Y%m%d")


def test_columns_are_null_where_the_layout_says_so(folder: Path, train: pd.DataFrame) -> None:
    plain = train["Coupon_id"] == "null"
    assert (plain == (train["Date_received"] == "null")).all()
    assert (plain == (train["Discount_rate"] == "null")).all()
    assert (train.loc[plain, "Date"] != "null").all()
    assert train.loc[~plain, "Date_received"].between("20160101", "20160615").all()
    online = _read(folder, ONLINE)
    clicks, received = online["Action"] == "0", online["Action"] == "2"
    assert (online.loc[clicks, ["Coupon_id", "Date_received"]] == "null").all(axis=None)
    assert (online.loc[received, "Date"] == "null").all()
    assert (online.loc[received, "Coupon_id"] != "null").all()
    assert (online["Coupon_id"] == "fixed").equals(online["Discount_rate"] == "fixed")
    assert not set(online["Merchant_id"]) & set(train["Merchant_id"])


def test_most_uses_fall_within_15_days_and_none_before_the_receipt(receipts: pd.DataFrame) -> None:
    used = receipts[receipts["Date"] != "null"]
    days = (pd.to_datetime(used["Date"]) - pd.to_datetime(used["Date_received"])).dt.days
    assert days.min() == 0
    assert 0.8 < (days <= 15).mean() < 0.97
    assert (used["redeems"] == (days <= 15)).all()


def test_redemption_rises_with_the_discount_and_falls_with_the_distance(receipts: pd.DataFrame) -> None:
    parts = receipts["Discount_rate"].str.split(":", expand=True).astype(float)
    off = np.where(parts[1].isna(), 1 - parts[0], parts[1] / parts[0])
    by_discount = receipts.assign(third=np.digitize(off, [0.12, 0.25])).groupby("third")["redeems"].mean()
    assert by_discount.is_monotonic_increasing
    assert by_discount.iloc[-1] > 1.4 * by_discount.iloc[0]
    known = receipts[receipts["Distance"] != "null"]
    third = np.digitize(known["Distance"].astype(int), [1, 4])
    by_distance = known.assign(third=third).groupby("third")["redeems"].mean()
    assert by_distance.is_monotonic_decreasing
    assert by_distance.iloc[0] > 1.5 * by_distance.iloc[-1]


def test_redemption_hangs_on_the_history_of_user_and_merchant(folder: Path, receipts: pd.DataFrame) -> None:
    for side, ratio in (("User", 4), ("Merchant", 3)):
        kinds = pd.read_csv(folder / "truth" / f"{side.lower()}s.csv", dtype=str)
        rate = receipts.merge(kinds, on=f"{side}_id").groupby("kind")["redeems"].mean()
        assert rate["high"] > ratio * rate["low"]
    dated = receipts.sort_values("Date_received", kind="stable")
    before = dated["redeems"].astype(int).groupby(dated["User_id"]).cumsum() > dated["redeems"]
    assert dated.loc[before, "redeems"].mean() > 2 * dated.loc[~before, "redeems"].mean()


def test_weekends_are_busier(train: pd.DataFrame) -> None:
    for column, last in (("Date_received", "20160615"), ("Date", "20160630")):
        rows = train[(train[column] != "null") & ((train["Coupon_id"] == "null") | (column == "Date_received"))]
        by_day = pd.to_datetime(rows[column]).dt.day_of_week.value_counts()
        days = pd.date_range("20160101", last).day_of_week.value_counts()
        rate = by_day / days
        assert rate[5] > 1.25 * rate[[0, 1, 2]].mean()


def test_a_user_is_as_far_from_a_merchant_each_time(train: pd.DataFrame) -> None:
    pairs = train.groupby(["User_id", "Merchant_id"])["Distance"]
    assert (pairs.nunique() == 1).all()
    assert pairs.size().max() > 1


def _off_by(chance: npt.NDArray[np.float64], happened: npt.NDArray[np.bool_]) -> float:
    """Return the largest gap, in standard errors, between what was said and what happened, over tenths by chance."""
    tenth = np.clip(np.searchsorted(np.quantile(chance, np.arange(1, 10) / 10), chance), 0, 9)
    count = np.bincount(tenth)
    gap = (np.bincount(tenth, happened) - np.bincount(tenth, chance)) / count
    error = np.sqrt(np.bincount(tenth, chance * (1 - chance))) / count
    return float(np.abs(gap / error).max())


def test_the_true_and_the_observable_chances_are_calibrated(folder: Path, receipts: pd.DataFrame) -> None:
    july = pd.read_csv(folder / "truth" / "test_probabilities.csv")
    for rows in (receipts, july):
        for chance in ("p_true", "p_observable"):
            assert _off_by(rows[chance].to_numpy(), rows["redeems"].to_numpy()) < 4


def test_the_observable_chance_is_the_mean_of_the_true_one(receipts: pd.DataFrame) -> None:
    sure = receipts["p_observable"] > receipts["p_observable"].quantile(0.9)
    assert receipts.loc[sure, "p_true"].mean() == pytest.approx(receipts.loc[sure, "p_observable"].mean(), rel=0.05)
    assert receipts["p_observable"].var() < receipts["p_true"].var()


def test_the_observable_chance_is_what_a_plain_loop_over_the_past_says() -> None:
    people = tianchi_offline.people(5, users=200, merchants=12)
    who = np.repeat(np.arange(200), 12)
    coupons = tianchi_offline.draw_coupons(people, "here", count=30, merchants=9, first=0, last=167)
    rows = tianchi_offline.draw_receipts(people, coupons, "here", who)
    answers = tianchi_offline.answer(people, rows, coupons, "here", -1.5, -0.5)
    found = tianchi_offline.observable_chance(people, tianchi_offline.Past(rows, answers), rows, answers)
    errand_by = np.cumsum([0.0] * 4 + [0.88**n for n in range(27)]) / sum(0.88**n for n in range(27))
    at_once_by = [0.40, 0.65, 0.85, 1.0]
    for asked in range(0, len(who), 40):
        merchant, user = np.array(tianchi_offline.KIND_SHARES)
        for told in np.flatnonzero(rows.day < rows.day[asked]):
            age, delay = rows.day[asked] - rows.day[told], answers.delay[told]
            used = 0 <= delay < age
            if rows.merchant[told] == rows.merchant[asked]:
                chance = answers.at_once[told]
                merchant = merchant * (chance if used and delay < 4 else 1 - chance * at_once_by[min(age, 4) - 1])
            if rows.user[told] == rows.user[asked] and not 0 <= delay < 4:
                chance = answers.errand[told]
                user = user * (chance if used else 1 - chance * errand_by[min(age - 1, 30)])
        soon = merchant @ answers.at_once[asked] / merchant.sum()
        later = user @ answers.errand[asked] / user.sum()
        assert found[asked] == pytest.approx(soon + (1 - soon) * later * errand_by[15], rel=1e-9)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(World(customers=500, seed=seed), tmp_path / name, "tianchi")
        files = sorted((tmp_path / name).rglob("*.csv"))
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]
    assert len(digests[0]) == 7
    assert not set(digests[0]) & set(digests[2])


def test_the_smallest_world_has_every_file(tmp_path: Path) -> None:
    rows = write(World(customers=20), tmp_path / "w", "tianchi")
    assert rows[TRAIN] == 65
    assert rows["truth/receipt_probabilities"] == 39
    assert rows["truth/users"] == 20


@pytest.mark.parametrize("arguments", [{"scenario": "no-effect"}, {"days": 90}])
def test_what_the_layout_has_no_room_for_is_refused(tmp_path: Path, arguments: dict[str, int | str]) -> None:
    with pytest.raises(UsageError, match="dates are fixed"):
        write(World(**arguments), tmp_path / "w", "tianchi")  # type: ignore[arg-type]
    assert not (tmp_path / "w").exists()
