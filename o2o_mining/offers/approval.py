"""Approving a plan: what it sends is written into the landing folder, so that the next run knows it was sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from o2o_mining.core.errors import HomeError, O2OError, UsageError
from o2o_mining.core.moments import midnight
from o2o_mining.engine.consent import MARKETING, last_words
from o2o_mining.engine.origin import rerun
from o2o_mining.engine.snapshot import replace_text

if TYPE_CHECKING:
    from o2o_mining.core.settings import Settings
    from o2o_mining.engine.home import Home

APPROVALS = "approvals.jsonl"
LANDING = "landing"
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

    Those who get an offer are the treatment, those held out who would have got one the control. The last word on
    consent in the snapshot counts, whenever it was said. Approving the same plan again writes nothing.

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
        If the plan has no such day or campaign, or is stale: the log has gone on since, or no run has read an approval.

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
    log = read_approvals(home.path)
    _refuse_stale(home, day, log)
    agreed = _agreed(home, settings)
    approved = []
    for campaign, offers, controls in _planned(home, day, campaigns):
        known = next((e for e in log if (e["as_of"], e["campaign_id"]) == (str(day), campaign)), None)
        if known:
            sent, control, withdrawn = (int(known[name]) for name in ("sent", "control", "withdrawn"))
            approved.append(Approved(campaign, day, sent, control, withdrawn, (), known["approved_at"]))
            continue
        one = _approve_one(home, campaign, day, offers, controls, agreed=agreed, mint=mint)
        log.append(_entry(one, home, approved_by))
        replace_text(home.path / APPROVALS, "".join(json.dumps(entry) + "\n" for entry in log))
        approved.append(one)
    return approved


def _planned(home: Home, day: date, campaigns: Sequence[str]) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Return the campaigns asked for, each with its offers and those who would have got one."""
    offers, controls = (_slice(home, name, day) for name in ("targeted_offers", "offer_holdouts"))
    controls = controls[controls["would_be_sent"].astype(bool)]
    there = sorted({*offers["campaign_id"], *controls["campaign_id"]})
    unknown = sorted(set(campaigns) - set(there))
    if unknown:
        raise UsageError(
            f"the plan of {day} has no campaign {', '.join(unknown)}",
            next_step=f"use one of {', '.join(there)}" if there else rerun(home.path),
        )
    return [
        (name, offers[offers["campaign_id"] == name], controls[controls["campaign_id"] == name])
        for name in campaigns or there
    ]


def _approve_one(
    home: Home, campaign: str, day: date, offers: pd.DataFrame, controls: pd.DataFrame, *, agreed: set[str], mint: Mint
) -> Approved:
    """Write what one campaign sends to those who agree, and who of those held out it is compared with."""
    sent = offers[offers["customer_id"].isin(agreed)]
    control = controls[controls["customer_id"].isin(agreed)]
    files = _write(home, _sends(home, sent, mint), control, campaign, day)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Approved(campaign, day, len(sent), len(control), len(offers) - len(sent), files, now)


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
    read = {given["file"] for given in home.manifest["inputs"]}
    waiting = [entry for entry in log if entry["as_of"] != str(day) and not set(entry["files"]) <= read]
    if waiting:
        raise HomeError(
            f"the plan of {day} does not know that the plan of {waiting[-1]['as_of']} was approved",
            next_step=rerun(home.path),
        )


def _slice(home: Home, name: str, day: date) -> pd.DataFrame:
    table = home.table(name)
    frame: pd.DataFrame = table.filter(table.as_of == day).order_by(["campaign_id", "customer_id"]).execute()
    return frame


def _agreed(home: Home, settings: Settings) -> set[str]:
    """Return everybody of the plan who still consents to marketing."""
    words = last_words(home.table("customers"), home.table("consents"), purpose=MARKETING).execute()
    word = words.set_index("customer_id")["word"]
    people = {*home.table("targeted_offers").customer_id.execute(), *home.table("offer_holdouts").customer_id.execute()}
    said = word.reindex(sorted(people))
    return set(said.index[said.fillna(settings.assumed_consent).astype(bool)])


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
            "coupon": pd.to_datetime(about["until"]).to_numpy(),
            "campaign": pd.to_datetime(about["over"]).to_numpy(),
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
        "sent": one.sent, "control": one.control, "withdrawn": one.withdrawn, "files": list(one.files),
        "approved_by": approved_by, "approved_at": one.approved_at,
    }  # fmt: skip
