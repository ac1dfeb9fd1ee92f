"""The assets: one module per room, each asset a partition turned into an as_of and a step called with it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date

import dagster as dg

from o2o_mining.core.moments import parse_day
from o2o_mining.engine.base import StepReport
from o2o_mining.engine.failures import explained
from pipelines.house import House
from pipelines.reporting import check_spec, result, spec

Days = dg.PartitionsDefinition[str]
Step = Callable[[House, date], StepReport | Iterable[StepReport]]

SECONDS_TO_RETRY = 2


@contextmanager
def retrying(house: House) -> Iterator[None]:
    """Try a step a second time when the disk failed it; a broken contract would only fail again.

    What the user can mend is noted in the house, since Dagster keeps of an error its text alone.
    Dagster's own retry policy is not used: it takes an interrupt from the keyboard for a failure, too.
    """
    house.failure = None
    try:
        yield
    except Exception as error:
        house.failure = explained(error, house.home)
        if isinstance(error, OSError):
            raise dg.RetryRequested(max_retries=1, seconds_to_wait=SECONDS_TO_RETRY) from error
        if str(error) == "Query interrupted":  # how the warehouse answers an interrupt from the keyboard
            raise KeyboardInterrupt from error
        raise


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
    )
    def write(
        context: dg.AssetExecutionContext, house: dg.ResourceParam[House]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of = parse_day(context.partition_key) if context.has_partition_key else None
        with retrying(house):
            made = step(house, as_of or date.min)
            reports = [made] if isinstance(made, StepReport) else list(made)
            results = [result(house, report, as_of=as_of) for report in reports]
        yield from results

    return write
