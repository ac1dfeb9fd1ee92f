"""The assets: one module per room, each asset a partition turned into an as_of and a step called with it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date

import dagster as dg

from o2o_mining.core.moments import parse_day
from o2o_mining.engine.base import StepReport
from pipelines.house import House
from pipelines.reporting import check_spec, result, spec

Days = dg.PartitionsDefinition[str]
Step = Callable[[House, date], StepReport | Iterable[StepReport]]

# A warehouse that is busy or a disk that hiccups deserves a second try; a broken contract fails again at once.
RETRY = dg.RetryPolicy(max_retries=0, delay=2)


def table_assets(
    tables: dict[str, list[str]], step: Step, *, name: str, days: Days | None = None
) -> dg.AssetsDefinition:
    """Return the asset, or the assets, that one step writes.

    Parameters
    ----------
    tables
        Tables to the tables each is made from.
    step
        Called with the house and the day that the partition is; what is not mined as of a day takes no notice.
    name
        Of the operation, as the run shows it.
    days
        The partitions of what is mined as of a day.
    """

    @dg.multi_asset(
        name=name,
        specs=[spec(table, deps=deps, partitions=days) for table, deps in tables.items()],
        check_specs=[check_spec(table) for table in tables],
        retry_policy=RETRY,
    )
    def write(
        context: dg.AssetExecutionContext, house: dg.ResourceParam[House]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of = parse_day(context.partition_key) if context.has_partition_key else None
        made = step(house, as_of or date.min)
        for report in [made] if isinstance(made, StepReport) else made:
            yield result(house, report, as_of=as_of)

    return write
