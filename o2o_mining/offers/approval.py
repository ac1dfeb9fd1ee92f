"""Approving a plan: what it sends is written into the landing folder, so that the next run knows it was sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd
from filelock import FileLock

from o2o_mining.core.errors import HomeError, O2OError, UsageError
from o2o_mining.core.moments import midnight
from o2o_mining.engine.consent import MARKETING, last_words
from o2o_mining.engine.origin import rerun
from o2o_mining.engine.portable import drawn
from o2o_mining.engine.snapshot import replace_text

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.home import Home

APPROVALS = "approvals.jsonl"
_LOCK_FILE = "approvals.lock"
LANDING = "landing"
# Why somebody of the plan gets nothing; the first that holds counts, as in exported lists.
_REASONS = WITHDRAWN, NOT_PROFILED, HELD_OUT = "withdrawn", "profiling_refused", "held_out"
_COUNTS = ("sent", "control", *_REASONS)
_MOMENT = pd.Timedelta(microseconds=1)
# From the ids of sends and the last days on which their codes are good to the codes.
Mint = Callable[[Sequence[str], Sequence[date]], list[str]]


@dataclass(frozen=True)
class Approved:
    """What became of the plan of one campaign.

    Attributes
    ----------
    campaign_id, as_of
        The campaign, and the day of the plan.
    sent, control
        Customers who get an offer, and customers kept without to compare them with.
    withdrawn
        Customers of the plan who have withdrawn their consent since: they get nothing.
    profiling_refused, held_out
        Customers of the plan who have refused profiling since, or whom the settings of today hold out: nothing, too.
    files
        What was written, relative to the home; nothing if this plan had been approved before.
    approved_at
        When, as the log says.
    """

    campaign_id: str
    as_of: date
    sent: int
    control: int
    withdrawn: int
    profiling_refused: int
    held_out: int
    files: tuple[str, ...]
    approved_at: str


def approve(
    home: Home,
    *,
    mint: Mint,
    settings: Settings,
    approved_by: str,
    campaigns: Sequence[str] = (),
    as_of: date | None = None,
) -> list[Approved]:
    """Approve the plan of a day: write its ``assignments`` and ``sends`` into the landing folder of the home.

    Those who get an offer are the treatment, those held out who would have got one the control. Whom an exported list
    would leave out gets nothing: the last words on consent and profiling and the holdouts of today count. Approving
    the same plan again writes nothing.

    Parameters
    ----------
    home
        The published snapshot.
    mint
        Makes the tracking codes: from ids of sends and last days to codes.
    settings, approved_by
        Of the home; who approves, as the log will say.
    campaigns, as_of
        Only these campaigns, by default all; day of the plan, by default the latest.

    Returns
    -------
    list of Approved
        One for each campaign.

    Raises
    ------
    UsageError, HomeError
        If the plan has no such day or campaign; if the log went on, a later plan was approved or an approval is unread.

    Examples
    --------
    >>> from o2o_mining.core.settings import Settings
    >>> from o2o_mining.engine.home import open_home
    >>> approve(open_home("no-such-home"), mint=lambda ids, days: [], settings=Settings(), approved_by="ann")
    Traceback (most recent call last):
        ...
    o2o_mining.core.errors.HomeError: no snapshot in no-such-home/snapshots. Next: o2o run --home no-such-home
    """
    day = _day(home, as_of)
    barred, planned = _barred(home, settings, day), _planned(home, day, campaigns)
    # Portal and command line may approve at once: what is sent hangs on what the log says until it is written.
    with FileLock(home.path / _LOCK_FILE):
        return _approve_all(home, day, planned, barred=barred, mint=mint, approved_by=approved_by)


def _approve_all(
    home: Home,
    day: date,
    planned: Sequence[tuple[str, pd.DataFrame, pd.DataFrame]],
    *,
    barred: Mapping[str, str],
    mint: Mint,
    approved_by: str,
) -> list[Approved]:
    """Approve campaigns one after the other, each with its line in the log; nobody else may approve meanwhile."""
    log = read_approvals(home.path)
    _refuse_stale(home, day, log)
    approved = []
    for campaign, offers, holdouts in planned:
        known = next((e for e in log if (e["as_of"], e["campaign_id"]) == (str(day), campaign)), None)
        if known:
            counts = {name: int(known.get(name, 0)) for name in _COUNTS}  # older entries name fewer reasons
            approved.append(Approved(campaign, day, files=(), approved_at=known["approved_at"], **counts))
            continue
        one = _approve_one(home, campaign, day, offers, holdouts, barred=barred, mint=mint)
        log.append(_entry(one, home, approved_by))
        replace_text(home.path / APPROVALS, "".join(json.dumps(entry) + "\n" for entry in log))
        approved.append(one)
    return approved


def _planned(home: Home, day: date, campaigns: Sequence[str]) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Return the campaigns asked for, each with its offers and those held out of it."""
    offers, holdouts = (_slice(home, name, day) for name in ("targeted_offers", "offer_holdouts"))
    there = sorted({*offers["campaign_id"], *holdouts.loc[holdouts["would_be_sent"].astype(bool), "campaign_id"]})
    unknown = sorted(set(campaigns) - set(there))
    if unknown:
        raise UsageError(
            f"the plan of {day} has no campaign {', '.join(unknown)}",
            next_step=f"use one of {', '.join(there)}" if there else rerun(home.path),
        )
    return [
        (name, offers[offers["campaign_id"] == name], holdouts[holdouts["campaign_id"] == name])
        for name in campaigns or there
    ]


def _approve_one(
    home: Home,
    campaign: str,
    day: date,
    offers: pd.DataFrame,
    holdouts: pd.DataFrame,
    *,
    barred: Mapping[str, str],
    mint: Mint,
) -> Approved:
    """Write what one campaign sends to those who may get it, and who of those held out it is compared with."""
    # A snapshot made by hand may offer something to somebody it holds out.
    why_not = offers["customer_id"].map({**dict.fromkeys(holdouts["customer_id"], HELD_OUT), **barred})
    sent, reasons = offers[why_not.isna()], Counter(why_not.dropna())
    refused = [who for who, why in barred.items() if why != HELD_OUT]
    control = holdouts[holdouts["would_be_sent"].astype(bool) & ~holdouts["customer_id"].isin(refused)]
    files = _write(home, _sends(home, sent, mint), control, campaign, day)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    counts = {"sent": len(sent), "control": len(control), **{why: reasons[why] for why in _REASONS}}
    return Approved(campaign, day, files=files, approved_at=now, **counts)


def read_approvals(home: Path) -> list[dict[str, Any]]:
    """Return the log of approvals of a home, the oldest first.

    Parameters
    ----------
    home
        Folder of the home.

    Returns
    -------
    list of dict
        ``campaign_id``, ``as_of``, ``approved_by``, ``approved_at`` and what was sent.

    Examples
    --------
    >>> read_approvals(Path("no-such-home"))
    []
    """
    path = home / APPROVALS
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _day(home: Home, as_of: date | None) -> date:
    days = home.days("targeted_offers") if "targeted_offers" in home.tables() else []
    if not days:
        raise UsageError("no plan of offers is published", next_step=rerun(home.path))
    if as_of is not None and as_of not in days:
        raise UsageError(f"there is no plan of {as_of}", next_step=rerun(home.path, "--as-of", str(as_of)))
    return as_of or days[-1]


def _refuse_stale(home: Home, day: date, log: list[dict[str, Any]]) -> None:
    """Refuse a plan that does not know what has happened since."""
    now = home.manifest["now"]
    if now and day < date.fromisoformat(now):
        raise HomeError(
            f"the plan of {day} is stale: the log goes on until {now}", next_step=rerun(home.path, "--as-of", now)
        )
    later = max((entry["as_of"] for entry in log), default="")
    if later > str(day):
        raise HomeError(
            f"the plan of {day} is older than that of {later}, which was approved: customers would be asked twice",
            next_step=rerun(home.path),
        )
    read = {given["file"] for given in home.manifest["inputs"]}
    waiting = [entry for entry in log if entry["as_of"] != str(day) and not set(entry["files"]) <= read]
    if waiting:
        raise HomeError(
            f"the plan of {day} does not know that the plan of {waiting[-1]['as_of']} was approved",
            next_step=rerun(home.path),
        )


def _slice(home: Home, name: str, day: date) -> pd.DataFrame:
    frame: pd.DataFrame = _day_of(home, name, day).order_by(["campaign_id", "customer_id"]).execute()
    return frame


def _day_of(home: Home, name: str, day: date) -> ir.Table:
    table = home.table(name)
    return table.filter(table.as_of == day)


def _barred(home: Home, settings: Settings, day: date) -> dict[str, str]:
    """Return why each customer of the plan who may get nothing may not."""
    plan = (_day_of(home, name, day).select("customer_id") for name in ("targeted_offers", "offer_holdouts"))
    known = ibis.union(*plan, distinct=True)
    for purpose in (MARKETING, "profiling"):
        words = last_words(home.table("customers"), home.table("consents"), purpose=purpose)
        words = words.rename({"_speaker": "customer_id", purpose: "word"})
        known = known.left_join(words, known.customer_id == words._speaker).drop("_speaker")
    # Whom the plan held out of everything stays so, though salt or share were changed since.
    held = _day_of(home, "offer_holdouts", day).filter(ibis._.kind == "global")
    held_out = drawn(known.customer_id, salt=settings.holdout_salt, share=settings.global_holdout_share)
    why = ibis.cases(
        (~known[MARKETING].fill_null(settings.assumed_consent), WITHDRAWN),
        (~known["profiling"].fill_null(True), NOT_PROFILED),
        (held_out | known.customer_id.isin(held.customer_id), HELD_OUT),
    )
    barred = known.select("customer_id", why=why)
    found = barred.filter(barred.why.notnull()).order_by("customer_id").execute()
    return dict(zip(found["customer_id"], found["why"], strict=True))


def _sends(home: Home, sent: pd.DataFrame, mint: Mint) -> pd.DataFrame:
    """Return the rows of the feed ``sends``; ids follow from the plan, so the same plan gives the same."""
    keys = [
        "\0".join([str(day), *ids])
        for day, *ids in sent[["as_of", "campaign_id", "customer_id", "coupon_id"]].itertuples(index=False)
    ]
    ids = [f"s{hashlib.sha256(key.encode()).hexdigest()[:31]}" for key in keys]
    coupons, campaigns = (home.table(name) for name in ("coupons", "campaigns"))
    lasting = coupons.select("coupon_id", "valid_days", until="ends_at", of="campaign_id")
    lasting = lasting.left_join(campaigns.select("campaign_id", over="ends_at"), lasting.of == campaigns.campaign_id)
    about = lasting.execute().set_index("coupon_id").reindex(sent["coupon_id"])
    first = pd.to_datetime(sent["send_on"]).to_numpy()
    ends = pd.DataFrame(
        {
            "validity": first + pd.to_timedelta(about["valid_days"].fillna(365).to_numpy(), unit="D"),
            # At its end it is over: what ends at midnight has its last day before.
            "coupon": pd.to_datetime(about["until"]).to_numpy() - _MOMENT,
            "campaign": pd.to_datetime(about["over"]).to_numpy() - _MOMENT,
        }
    ).min(axis=1)
    until = [max(end.date(), start) for end, start in zip(ends, pd.to_datetime(first).date, strict=True)]
    return pd.DataFrame(
        {
            "send_id": ids,
            "campaign_id": sent["campaign_id"].tolist(),
            "customer_id": sent["customer_id"].tolist(),
            "coupon_id": sent["coupon_id"].tolist(),
            "channel": sent["channel"].tolist(),
            "sent_at": [str(midnight(day.date())) for day in pd.to_datetime(sent["send_on"])],
            "tracking_code": mint(ids, until) if ids else [],
        }
    )


def _write(home: Home, sends: pd.DataFrame, control: pd.DataFrame, campaign: str, day: date) -> tuple[str, ...]:
    """Write the feeds whole or not at all; assignments come first, since nobody may be sent what nobody measures."""
    arms = pd.DataFrame(
        {
            "campaign_id": campaign,
            "customer_id": [*sends["customer_id"].drop_duplicates(), *control["customer_id"]],
            "arm": ["treatment"] * sends["customer_id"].nunique() + ["control"] * len(control),
            "assigned_at": str(midnight(day)),
        }
    ).sort_values("customer_id")
    named = re.sub(r"[^\w.=-]", "_", campaign) + "-" + hashlib.sha256(campaign.encode()).hexdigest()[:8]
    files = []
    for feed, rows in (("assignments", arms), ("sends", sends.sort_values("send_id"))):
        name = f"{LANDING}/{feed}/plan-{day}-{named}.csv"
        try:
            replace_text(home.path / name, rows.to_csv(index=False, lineterminator="\n"))
        except OSError as error:
            raise O2OError(f"{home.path / name} cannot be written: {error.strerror}") from error
        files.append(name)
    return tuple(files)


def _entry(one: Approved, home: Home, approved_by: str) -> dict[str, Any]:
    return {
        "as_of": str(one.as_of), "campaign_id": one.campaign_id, "snapshot": home.manifest["snapshot"],
        **{name: getattr(one, name) for name in _COUNTS}, "files": list(one.files),
        "approved_by": approved_by, "approved_at": one.approved_at,
    }  # fmt: skip
