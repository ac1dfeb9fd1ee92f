"""The snapshot that people and the portal read."""

import dagster as dg

from o2o_mining.contracts.catalogue import TABLES
from o2o_mining.core.moments import parse_day
from o2o_mining.engine.home import open_home
from o2o_mining.exports import ExportReport, Order, export_plan
from o2o_mining.ingest.steps import loaded_inputs
from o2o_mining.offers import reason_text
from pipelines.assets import Days, retrying
from pipelines.house import House
from pipelines.reporting import OWNER

SNAPSHOT = "snapshot"
OFFER_FILES = "offer_files"


def assets(days: Days) -> list[dg.AssetsDefinition]:
    """Return the assets of the published snapshot and of the files made from it."""

    @dg.asset(
        name=SNAPSHOT,
        deps=[table.name for table in TABLES.values() if table.published],
        group_name="publication",
        description="Immutable Parquet files of every published table, and the manifest that lists them.",
        owners=[OWNER],
        kinds={"parquet"},
    )
    def publish(context: dg.AssetExecutionContext, house: dg.ResourceParam[House]) -> dg.MaterializeResult[None]:
        with retrying(house):
            name = house.engine.publish(
                house.home / "snapshots",
                inputs=loaded_inputs(house.engine),
                now=house.now,
                keep=house.settings.snapshots_kept,
                run_id=context.run.run_id,
            )
        house.say(f"published snapshot {name}")
        return dg.MaterializeResult(metadata={"snapshot": name, "folder": str(house.home / "snapshots")})

    @dg.asset(
        name=OFFER_FILES,
        deps=[SNAPSHOT],
        group_name="publication",
        description="The day's offers as CSV and Excel, a list for each campaign, under `exports` of the home.",
        owners=[OWNER],
        kinds={"csv"},
        partitions_def=days,
    )
    def write_offers(context: dg.AssetExecutionContext, house: dg.ResourceParam[House]) -> dg.MaterializeResult[None]:
        as_of = parse_day(context.partition_key)
        opened = open_home(house.home)
        try:
            with retrying(house):
                order = Order(house.settings, requested_by="the daily job")
                made = list(export_plan(opened, order, as_of=as_of, reason_text=reason_text))
        finally:
            opened.close()
        files = [report.path.name for report in made if isinstance(report, ExportReport)]
        refusals = [str(refused) for refused in made if not isinstance(refused, ExportReport)]
        house.say(
            f"{len(files)} lists of offers in {house.home / 'exports'}" if files else "no list of offers to write"
        )
        for refused in refusals:
            house.say(f"  {refused}")
        return dg.MaterializeResult(metadata={"files": files, "refused": refusals})

    return [publish, write_offers]
