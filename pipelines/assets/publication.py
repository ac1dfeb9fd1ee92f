"""The snapshot that people and the portal read."""

import dagster as dg

from o2o_mining.contracts.catalogue import TABLES
from o2o_mining.ingest.steps import loaded_inputs
from pipelines.assets import retrying
from pipelines.house import House
from pipelines.reporting import OWNER

SNAPSHOT = "snapshot"


def assets() -> list[dg.AssetsDefinition]:
    """Return the asset of the published snapshot."""

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

    return [publish]
