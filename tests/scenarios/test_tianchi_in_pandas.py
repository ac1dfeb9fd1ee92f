"""What the benchmark's pandas script makes of the Tianchi files is what the job makes of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import tianchi_pandas
from benchmarks.tianchi_job import COMPARED, compare
from o2o_mining.engine.home import open_home
from o2o_mining.simulator import World, write
from pipelines.execution import run

# What they share is made once.
pytestmark = pytest.mark.xdist_group("tianchi")

_, OFFLINE, ONLINE = tianchi_pandas.FILES
# Records with a fault, coupons told twice, uses that find a receipt and such that find none.
ADDED = {
    OFFLINE: (
        "1,5,777,0.9,3,20160101,20160140",
        "2,5,777,0.9,11,20160101,null",
        "3,5,777,1.5,1,20160102,null",
        "3,6,777,0.8,1,20160103,null",
        "4,5,null,null,null,null,null",
        "4,5,778,0.9,null,null,20160301",
        "4,5,778,0.9,null,null,null",
        "5,9,778,null,1,20160201,20160204",
        "5,9,778,null,1,20160104,null",
        "5,9,778,null,1,null,20160105",
        "6,5,779,0.9,1,20160101,null",
        "6,5,780,30:5,1,20160101,null",
        "6,5,fixed,fixed,1,20160101,null",
    ),
    ONLINE: (
        "1,5,3,null,null,null,20160101",
        "2,7,1,fixed,fixed,null,20160310",
        "2,7,2,fixed,fixed,20160301,null",
        "2,7,1,fixed,fixed,null,20160301",
        "2,7,1,778,20:5,null,20160301",
        "2,7,0,null,null,null,tomorrow",
        "6,5,2,779,0.9,20160102,null",
        "6,5,2,780,30:5,20160102,null",
        "6,5,2,fixed,fixed,20160102,null",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files, the home of the job and what the script wrote."""
    folder = tmp_path_factory.mktemp("tianchi")
    write(World(300), folder / "world", "tianchi")
    for name, lines in ADDED.items():
        with (folder / "world" / name).open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DAGSTER_HOME", raising=False)
        run("tianchi", folder / "world", folder / "home", None, lambda _: None)
    tianchi_pandas.mine(folder / "world", folder / "out")
    return folder


def test_the_script_finds_what_the_job_finds(folder: Path) -> None:
    assert len(list(compare(folder / "home", folder / "out"))) == len(COMPARED)


def test_every_model_credits_touches_of_an_age_with_the_same(folder: Path) -> None:
    log = tianchi_pandas.read(folder / "world")
    bought = tianchi_pandas.purchases(log)
    used, _ = tianchi_pandas.journeys(log, bought, bought["at"].max() + pd.Timedelta(days=1))
    shared = tianchi_pandas.shares(bought, used)
    days = (shared["at"] - shared.touched_at).dt.days.fillna(-1).astype("int64")
    theirs = shared[list(tianchi_pandas.MODELS)].groupby(days).sum()
    with_ages = open_home(folder / "home").sql(
        "SELECT model, coalesce(date_diff('day', touched_at, credited_at), -1) AS days, sum(share) AS share"
        " FROM attribution_ledger LEFT JOIN (SELECT touch_id, touched_at FROM journey_touches) USING (touch_id)"
        " GROUP BY ALL"
    )
    ours = with_ages.to_pandas().pivot_table(index="days", columns="model", values="share", fill_value=0)
    assert len(ours) > 25
    pd.testing.assert_frame_equal(ours[theirs.columns], theirs, check_names=False, rtol=0, atol=1e-9)


def test_a_difference_is_told(folder: Path, tmp_path: Path) -> None:
    for name in COMPARED:
        pd.read_parquet(folder / "out" / f"{name}.parquet").to_parquet(tmp_path / f"{name}.parquet")
    states = pd.read_parquet(tmp_path / "coupon_lifecycle.parquet")
    states.assign(coupons=states.coupons + 1).to_parquet(tmp_path / "coupon_lifecycle.parquet")
    with pytest.raises(AssertionError, match="coupon_lifecycle: coupons differs in 2 rows"):
        list(compare(folder / "home", tmp_path))
