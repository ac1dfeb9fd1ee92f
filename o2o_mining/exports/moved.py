"""The customers who entered or left a segment as a file: those who may be written to, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o2o_mining.engine.consent import MARKETING
from o2o_mining.exports.files import Stream
from o2o_mining.exports.release import Content, ExportReport, Order, Words, named, release
from o2o_mining.exports.standing import consent_said, counted, left_out, listed, with_standing

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from o2o_mining.engine.home import Home

_TYPES = {"change": "text", "from_code": "text", "to_code": "text", "consent": "text"}


def export_moved(
    home: Home,
    moved: ir.Table,
    *,
    scheme: str,
    code: str,
    days: tuple[date, date],
    order: Order,
    segment_name: Words,
) -> ExportReport:
    """Write who entered and who left a segment between two days and consents to marketing.

    Parameters
    ----------
    home
        The published snapshot.
    moved
        ``customer_id``, ``change`` (``entered`` or ``left``), ``from_code`` and ``to_code``.
    scheme, code
        The segment.
    days
        The earlier and the later day.
    order
        How the file is asked for.
    segment_name
        From a code and a language to a name.

    Returns
    -------
    ExportReport
        Where the file is, its rows, and who was left out and why; a file without rows where nobody may be written to.

    Examples
    --------
    >>> from o2o_mining.engine.home import open_home
    >>> export_moved(open_home("no-such-home"), None, scheme="rfm", code="lost", days=(), order=None, segment_name=str)
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    asked = with_standing(home, moved, purpose=MARKETING, settings=order.settings)
    rows = asked.select("customer_id", *_TYPES).order_by("customer_id").to_pyarrow()
    counts = counted(rows)
    shown, fields = named(listed(rows), "segments", order, types=_TYPES, words={"segment_code": segment_name})
    said = {
        "table": "segments", "scheme": scheme, "segment": code, "from": str(days[0]), "to": str(days[1]),
        "purpose": MARKETING,
        "consent": consent_said(counts, order.settings),
    }  # fmt: skip
    content = Content(
        stem=f"moved-{'' if scheme == 'rfm' else f'{scheme}-'}{code}-{days[0]}-{days[1]}",
        title=segment_name(code, order.spoken),
        rows=Stream.of(shown),
        fields=fields,
        said=said,
        left_out=left_out(counts),
    )
    return release(content, order, home)
