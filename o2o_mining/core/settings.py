"""The settings of a home, kept in its ``settings.toml``."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from math import inf
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from o2o_mining.core.errors import HomeError
from o2o_mining.core.languages import LANGUAGES

SETTINGS_FILE = "settings.toml"
# Least and greatest value of settings that are numbers.
_RANGES = {
    "lookback_days": (1, inf),
    "rfm_bins": (2, inf),
    "rules_history_days": (1, inf),
    "rules_within_days": (1, inf),
    "rules_min_support": (0, 1),
    "rules_max_items": (2, 3),
    "rules_max_q": (0, 1),
    "snapshots_kept": (1, inf),
    "threads": (0, inf),
    "churn_horizon_days": (1, inf),
    "forecast_days": (1, inf),
    "offers_per_customer": (1, inf),
    "merchant_offers_cap": (0, inf),
    "global_holdout_share": (0, 0.5),
    "campaign_holdout_share": (0, 0.9),
    "max_contacts_7d": (0, inf),
    "max_contacts_30d": (0, inf),
    "contact_gap_days": (0, inf),
    "max_distance_m": (0, inf),
    "default_margin_share": (0, 1),
    "default_commission_share": (0, 1),
    "default_contact_cost": (0, inf),
    "assumed_incremental_share": (0, 1),
    "weight_merchant": (0, inf),
    "weight_customer": (0, inf),
    "weight_platform": (0, inf),
    "retention_share": (0, 1),
}


@dataclass(frozen=True)
class Settings:
    """What a home fixes for all its tables.

    Attributes
    ----------
    timezone
        IANA name; hours, weekdays and evenings are local to it, day borders stay UTC.
    currency
        ISO 4217 code of every amount.
    language
        Language of headings in files when none is asked for: ``en``, ``zh-Hant`` or ``zh-Hans``.
    assumed_consent
        Whether customers without any word on consent count as consenting. False is the safe default.
    lookback_days
        How long before a purchase a touch may lie and still belong to it.
    reuse_touches
        Whether a touch may serve several purchases instead of the first after it.
    rfm_bins
        Number of RFM scores.
    churn_horizon_days
        For how many days churn is predicted: no purchase within them.
    forecast_days
        How many days demand is forecast, from as_of on.
    holidays_country
        Whose public holidays the forecast knows: an ISO 3166 code such as ``TW`` or ``US-NY``; empty for none.
    phone_region
        The country of phone numbers without ``+``: an ISO 3166 code such as ``TW``; empty where there is none.
    rules_history_days
        Days before as_of whose visits association rules come from.
    rules_within_days
        Within how many days something follows, or is done by one customer together.
    rules_min_support
        Least share of transactions that a rule must be in before it is tested.
    rules_max_items
        Most products in a rule about baskets, 2 or 3.
    rules_max_q
        Largest false discovery rate of the rules published.
    offers_per_customer
        Most offers that a plan sends to one customer.
    merchant_offers_cap
        Most offers that a plan sends for one merchant; rules of the scorecards lower and raise it.
    global_holdout_share, campaign_holdout_share
        Share of the customers kept without any offer, and without the offer of a campaign.
    holdout_salt
        What decides who is held out; with another salt others are.
    max_contacts_7d, max_contacts_30d
        So many contacts of campaigns within these days, and a customer gets no offer.
    contact_gap_days
        Least days between the last contact of a campaign and an offer.
    max_distance_m
        Farthest merchant of whom a customer gets an offer, in metres.
    default_channel
        How to send the offers of a campaign that names no channel.
    default_margin_share, default_commission_share, default_contact_cost
        Stand in for what no merchant and no log tells.
    assumed_incremental_share
        Share of redemptions taken to be caused by the coupon as long as nothing causal is known.
    weight_merchant, weight_customer, weight_platform
        What the value of an offer to each side counts in a plan.
    retention_share
        Share of a customer's net amount of 90 days that a visit more brings back.
    first_partition
        First ``as_of`` day that can be run.
    snapshots_kept
        Number of published snapshots kept; older ones are removed.
    memory_limit
        Memory of the warehouse engine, such as ``4GB``; empty means half of the machine's.
    threads
        Threads of the warehouse engine; 0 means all cores.
    spill_folder
        Where the engine spills what does not fit in memory; empty means inside the home.

    Examples
    --------
    >>> Settings(timezone="Asia/Taipei").currency
    'USD'
    """

    timezone: str = "UTC"
    currency: str = "USD"
    language: str = "en"
    assumed_consent: bool = False
    lookback_days: int = 30
    reuse_touches: bool = False
    rfm_bins: int = 5
    churn_horizon_days: int = 90
    forecast_days: int = 28
    holidays_country: str = ""
    phone_region: str = ""
    rules_history_days: int = 730
    rules_within_days: int = 30
    rules_min_support: float = 0.0002
    rules_max_items: int = 3
    rules_max_q: float = 0.02
    offers_per_customer: int = 1
    merchant_offers_cap: int = 10_000
    global_holdout_share: float = 0.02
    campaign_holdout_share: float = 0.1
    holdout_salt: str = "holdout"
    max_contacts_7d: int = 3
    max_contacts_30d: int = 8
    contact_gap_days: int = 3
    max_distance_m: float = 20_000.0
    default_channel: str = "email"
    default_margin_share: float = 0.3
    default_commission_share: float = 0.1
    default_contact_cost: float = 0.01
    assumed_incremental_share: float = 0.5
    weight_merchant: float = 1.0
    weight_customer: float = 0.1
    weight_platform: float = 0.1
    retention_share: float = 0.05
    first_partition: date = date(2010, 1, 1)
    snapshots_kept: int = 5
    memory_limit: str = ""
    threads: int = 0
    spill_folder: str = ""

    def __post_init__(self) -> None:
        """Refuse values that would only fail deep inside a run."""
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise HomeError(f"timezone '{self.timezone}' is unknown", next_step="use an IANA name") from None
        if self.language not in LANGUAGES:
            raise HomeError(f"language '{self.language}' is not one of {', '.join(LANGUAGES)}")
        for name, (lowest, highest) in _RANGES.items():
            if getattr(self, name) < lowest:
                raise HomeError(f"setting {name} = {getattr(self, name)} is below {lowest}")
            if getattr(self, name) > highest:
                raise HomeError(f"setting {name} = {getattr(self, name)} is above {highest}")


def read_settings(home: Path, defaults: Settings) -> Settings:
    """Read a home's settings; what the file does not say is as in ``defaults``.

    Parameters
    ----------
    home
        Folder of the home.
    defaults
        What the source declares, such as its time zone.

    Raises
    ------
    HomeError
        If the file names an unknown setting or a value of the wrong type.

    Examples
    --------
    >>> read_settings(Path("no-such-home"), Settings()).lookback_days
    30
    """
    path = home / SETTINGS_FILE
    if not path.exists():
        return defaults
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise HomeError(f"{path} is not TOML: {error}") from None
    known = {field.name: type(getattr(defaults, field.name)) for field in fields(Settings)}
    for name, value in given.items():
        if name not in known:
            raise HomeError(f"{path}: unknown setting '{name}'", next_step=f"use one of {', '.join(sorted(known))}")
        if type(value) is not known[name]:
            raise HomeError(f"{path}: {name} = {value!r} is not a {known[name].__name__}")
    return replace(defaults, **given)


def write_settings(home: Path, settings: Settings) -> None:
    """Write the settings of a new home, so that a user sees what can be set."""
    lines = ["# Settings of this home. Each is described in docs/running.md.", ""]
    lines += [f"{name} = {_toml(value)}" for name, value in asdict(settings).items()]
    path = home / SETTINGS_FILE
    temporary = path.with_suffix(".new")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(path)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # basic strings of TOML escape as JSON does
    return str(value)
