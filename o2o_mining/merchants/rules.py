"""How merchants are judged: weights, limits, and the rules that turn a state into an action; all of it data in YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.merchants import ACTIONS, MEASURES
from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.merchants.changes import Limits

RULES_FILE = Path("merchants") / "rules.yaml"
COMPARISONS = ("at_least", "more_than", "at_most", "less_than", "is")
_PARTS = ("weights", "limits", "rules")
# What the rules may look at: what is known of a merchant before they decide.
COLUMNS = {
    column.name: column.type
    for column in contract("merchant_scorecards").columns
    if column.type in ("double", "int", "text") and column.name not in ("action_code", "mend_code")
}


@dataclass(frozen=True)
class Condition:
    """A column of the scorecard compared with a value."""

    column: str
    comparison: str
    value: float | str


@dataclass(frozen=True)
class Rule:
    """An action, when it is taken, and why in each language."""

    code: str
    when: tuple[Condition, ...]
    action: str
    why: Mapping[str, str]


@dataclass(frozen=True)
class Judging:
    """All that decides about merchants.

    Attributes
    ----------
    weights
        By measure; of each source those that it tells are made to add up to 1.
    limits
        How often what may be wrong.
    rules
        In order: the first that applies decides.
    """

    weights: Mapping[str, float]
    limits: Limits
    rules: tuple[Rule, ...]


def read_judging(file: Path | None = None) -> Judging:
    """Read how merchants are judged: what is shipped, and what a home's own file says otherwise.

    Parameters
    ----------
    file
        A YAML file with any of ``weights``, ``limits`` and ``rules``. Weights and limits replace those they name, rules
        replace all rules. A file that does not exist changes nothing.

    Returns
    -------
    Judging
        Weights, limits and rules.

    Raises
    ------
    UsageError
        If something cannot be understood: the message says where, and what to write.

    Examples
    --------
    >>> judging = read_judging()
    >>> judging.weights["wait"], judging.limits.alarm, [rule.action for rule in judging.rules]
    (0.35, 36500.0, ['pause_offers', 'lower_cap', 'notify', 'raise_cap'])
    """
    shipped = files("o2o_mining.merchants").joinpath("rules.yaml").read_text(encoding="utf-8")
    given = _parsed(shipped, "rules.yaml")
    name = "rules.yaml"
    if file is not None and file.exists():
        name = str(file)
        try:
            own = _parsed(file.read_text(encoding="utf-8"), name)
        except UnicodeDecodeError as error:
            raise UsageError(f"{file} is not UTF-8: {error}", next_step="save it as UTF-8 text") from error
        given = {
            "weights": given["weights"] | own.get("weights", {}),
            "limits": given["limits"] | own.get("limits", {}),
            "rules": own.get("rules", given["rules"]),
        }
    limits = Limits(**_numbers(given["limits"], [f.name for f in fields(Limits)], f"{name}: limits", above=0.0))
    if limits.false_alarm_share >= 1:
        raise UsageError(
            f"{name}: limits: false_alarm_share: {limits.false_alarm_share:g} is no share between 0 and 1",
            next_step="write 0.01 for one merchant in a hundred",
        )
    return Judging(
        _numbers(given["weights"], MEASURES, f"{name}: weights", above=0.0),
        limits,
        tuple(_rule(code, said, f"{name}: rule '{code}'") for code, said in given["rules"].items()),
    )


def decide(scorecards: pd.DataFrame, rules: Iterable[Rule]) -> pd.DataFrame:
    """Return for every merchant to whom a rule applies what is done, by which rule, and the values that met it.

    Parameters
    ----------
    scorecards
        The columns that the rules name, and ``merchant_id``. A value that is not known meets no condition.
    rules
        In order: the first that applies decides.

    Returns
    -------
    DataFrame
        ``merchant_id, action_code, rule_code, decided_by``; the last is a code with the values of the conditions.

    Examples
    --------
    >>> cards = pd.DataFrame({"merchant_id": ["a", "b"], "band": ["act", "good"], "visits": 5, "promise_gap": 1.0,
    ...                       "promise_gap_high": 1.2, "service_score": 3.0})
    >>> decide(cards, read_judging().rules).values.tolist()
    [['a', 'pause_offers', 'broken_promise', 'broken_promise:act']]
    """
    open_, parts = scorecards, []
    for rule in rules:
        applies = pd.Series(True, index=open_.index)
        for condition in rule.when:
            applies &= _holds(open_[condition.column], condition)
        met = open_[applies]
        values = zip(*(met[condition.column] for condition in rule.when), strict=True)
        parts.append(
            pd.DataFrame(
                {
                    "merchant_id": met["merchant_id"],
                    "action_code": rule.action,
                    "rule_code": rule.code,
                    "decided_by": [":".join([rule.code, *map(_said, row)]) for row in values],
                }
            )
        )
        open_ = open_[~applies]
    names = ["merchant_id", "action_code", "rule_code", "decided_by"]
    found = pd.concat(parts) if parts else pd.DataFrame(columns=names)
    return found.sort_values("merchant_id", ignore_index=True)


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.{0 if abs(value) >= 10 or float(value).is_integer() else 2}f}"


def _holds(column: pd.Series[Any], condition: Condition) -> pd.Series[bool]:
    value: Any = condition.value
    if condition.comparison == "is":
        return pd.Series(column == value)
    numbers = column.astype("float64")
    compared: dict[str, pd.Series[bool]] = {
        "at_least": numbers >= value,
        "more_than": numbers > value,
        "at_most": numbers <= value,
        "less_than": numbers < value,
    }
    return compared[condition.comparison]


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{name} is not YAML: {' '.join(str(error).split())}", next_step="mend the line") from None
    given = {} if loaded is None else loaded
    if not isinstance(given, dict) or not all(isinstance(part, dict) for part in given.values()):
        raise UsageError(f"{name} is not made of parts", next_step=f"write {', '.join(_PARTS)}, each with lines below")
    if unknown := sorted(set(map(str, given)) - set(_PARTS)):
        raise UsageError(f"{name}: there is no part '{unknown[0]}'", next_step=f"use {', '.join(_PARTS)}")
    return given


def _numbers(given: Mapping[str, Any], known: Iterable[str], place: str, *, above: float) -> dict[str, float]:
    names = list(known)
    for name, value in given.items():
        if name not in names:
            raise UsageError(f"{place}: there is no '{name}'", next_step=f"use {', '.join(names)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value < 1e9:
            raise UsageError(f"{place}: {name}: {value!r} is no number above {above:g}", next_step="write a number")
    return {name: float(given[name]) for name in names}


def _rule(code: Any, said: Any, place: str) -> Rule:
    if not isinstance(said, dict) or set(said) != {"when", "action", "why"} or not isinstance(said["when"], dict):
        raise UsageError(f"{place} is not understood", next_step="write when:, action: and why: below it")
    if ":" in str(code) or not said["when"]:
        raise UsageError(f"{place} has no condition, or ':' in its code", next_step="write when: {band: {is: act}}")
    if said["action"] not in ACTIONS:
        raise UsageError(f"{place}: there is no action '{said['action']}'", next_step=f"use {', '.join(ACTIONS)}")
    why = dict.fromkeys(LANGUAGES, said["why"]) if isinstance(said["why"], str) else said["why"]
    if not isinstance(why, dict) or set(why) != set(LANGUAGES):
        raise UsageError(f"{place} does not say why in every language", next_step=f"write {', '.join(LANGUAGES)}")
    conditions = tuple(_condition(column, compared, place) for column, compared in said["when"].items())
    for language, text in why.items():
        _fits(text, len(conditions), f"{place}: why ({language})")
    return Rule(str(code), conditions, said["action"], why)


def _fits(text: Any, values: int, place: str) -> None:
    """Refuse a reason that cannot be told with the values of the conditions."""
    known = ", ".join(f"{{{number}}}" for number in range(values))
    if not isinstance(text, str):
        raise UsageError(f"{place}: {text!r} is no text", next_step="write it in quotes")
    try:
        text.format(*["0"] * values)  # values are told as text
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise UsageError(
            f"{place}: {text!r} cannot be told with the values of the conditions",
            next_step=f"use {known}, in the order of the conditions, and {{{{ }}}} for braces",
        ) from None


def _condition(column: Any, compared: Any, place: str) -> Condition:
    if column not in COLUMNS:
        raise UsageError(f"{place}: merchant_scorecards has no '{column}'", next_step=f"use {', '.join(COLUMNS)}")
    if not isinstance(compared, dict) or len(compared) != 1 or next(iter(compared)) not in COMPARISONS:
        raise UsageError(f"{place}: {column} is not compared", next_step=f"use one of {', '.join(COMPARISONS)}")
    ((comparison, value),) = compared.items()
    is_text = COLUMNS[column] == "text"
    fits = isinstance(value, str) if is_text else isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or (is_text and comparison != "is"):
        raise UsageError(
            f"{place}: {column} {comparison} {value!r} does not fit", next_step="compare text by is, numbers by numbers"
        )
    return Condition(str(column), comparison, value)
