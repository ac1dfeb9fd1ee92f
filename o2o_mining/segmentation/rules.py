"""Segments by rule as marketers write them: reads the files, and says what is wrong with them and where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from o2o_mining.contracts.catalogue import contract
from o2o_mining.contracts.features import FEATURES
from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import LANGUAGES
from o2o_mining.segmentation.lifecycle import STAGES
from o2o_mining.segmentation.names import segment_codes

RULES_FOLDER = "segments"
GROUPS = ("all", "any", "not")
COMPARISONS = ("at_least", "more_than", "at_most", "less_than", "is", "is_not", "in", "known")
_ORDERED = COMPARISONS[:4]
_SEGMENT_COLUMNS = (
    "recency_days", "frequency", "monetary", "r_score", "f_score", "m_score", "segment_code", "cluster",
    "lifecycle_stage", "silence_probability", "lapsing_after_days",
)  # fmt: skip
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WHERE = ("category", "merchant", "store", "source", "channel", "campaign")

# The columns a condition may name, with their types.
COLUMNS: dict[str, str] = {feature.name: feature.type for feature in FEATURES} | {
    name: contract("segments")[name].type for name in _SEGMENT_COLUMNS
}


@dataclass(frozen=True)
class Place:
    """Where in which file something stands, for messages."""

    file: str
    segment: str
    condition: str = ""

    def inside(self, part: str) -> Place:
        """Return the place of a part of a condition."""
        return Place(self.file, self.segment, f"{self.condition}.{part}" if self.condition else part)

    def wrong(self, what: str, next_step: str) -> UsageError:
        """Return the error to raise."""
        at = f", condition {self.condition}" if self.condition else ""
        return UsageError(f"{self.file}: segment '{self.segment}'{at}: {what}", next_step=next_step)


@dataclass(frozen=True)
class Compared:
    """A value compared: ``operator`` is one of ``COMPARISONS``."""

    operator: str
    value: Any


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes
    ----------
    kind
        ``all``, ``any``, ``not``, ``feature``, ``purchases`` or ``distance``.
    parts
        Conditions inside a group.
    name
        The column of a feature.
    where
        Of purchases: what they must be and ``within_days``; of a distance: ``store`` or ``merchant``.
    compared
        All must hold.
    """

    kind: str
    parts: tuple[Condition, ...] = ()
    name: str = ""
    where: tuple[tuple[str, Any], ...] = ()
    compared: tuple[Compared, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A segment by rule: its code, its names by language, and the condition."""

    code: str
    names: Mapping[str, str]
    condition: Condition


def read_rules(folder: Path | None = None) -> list[Rule]:
    """Read the shipped rules and those in a folder, in the order of their codes.

    Parameters
    ----------
    folder
        Holds ``*.yaml`` files; each maps codes to segments. A segment here replaces a shipped one of the same code.

    Returns
    -------
    list of Rule
        One a segment.

    Raises
    ------
    UsageError
        If a file, a segment or a condition cannot be understood: the message says which and what to do.

    Examples
    --------
    >>> "lapsing_big_spenders" in [rule.code for rule in read_rules()]
    True
    """
    shipped = files("o2o_mining.segmentation").joinpath("rules.yaml").read_text(encoding="utf-8")
    found = {rule.code: rule for rule in parse_rules(shipped, "rules.yaml")}
    own: dict[str, str] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if folder is not None else []:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read as UTF-8: {error}", next_step="save it as UTF-8 text") from error
        for rule in parse_rules(text, str(path)):
            if rule.code in own:
                where = f"it is in {own[rule.code]} already"
                raise Place(str(path), rule.code).wrong(where, "give one of the two another code")
            own[rule.code] = str(path)
            found[rule.code] = rule
    return [found[code] for code in sorted(found)]


def parse_rules(text: str, file: str) -> Iterator[Rule]:
    """Yield the segments of one file.

    Parameters
    ----------
    text
        Its content.
    file
        Its name, for messages.

    Examples
    --------
    >>> text = "night: {name: {en: Night, zh-Hant: 夜, zh-Hans: 夜}, feature: evening_share, at_least: 0.5}"
    >>> [rule.condition.name for rule in parse_rules(text, "mine.yaml")]
    ['evening_share']
    """
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{file} is not YAML: {' '.join(str(error).split())}", next_step="mend the line") from None
    if loaded is None:
        return
    if not isinstance(loaded, dict):
        raise UsageError(f"{file} holds no segments", next_step="begin each with its code, such as night_owls:")
    for code, said in loaded.items():
        place = Place(file, str(code))
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise place.wrong("a code is small letters, digits and _", "rename it, such as night_owls")
        if code in segment_codes() or code in STAGES:
            raise place.wrong("this code is a named segment or a stage already", "choose another code")
        if not isinstance(said, dict):
            raise place.wrong("it has no condition", "write name: and a condition below it")
        condition = {key: value for key, value in said.items() if key != "name"}
        yield Rule(code, _names(said.get("name"), place), _condition(condition, place))


def _names(given: Any, place: Place) -> dict[str, str]:
    if isinstance(given, str):
        return dict.fromkeys(LANGUAGES, given)
    if not isinstance(given, dict) or not given:
        raise place.wrong("it has no name", f"write name: with {', '.join(LANGUAGES)}, or one name for all")
    if unknown := set(map(str, given)) - set(LANGUAGES):
        raise place.wrong(f"there is no language '{min(unknown)}'", f"use {', '.join(LANGUAGES)}")
    usual = str(next(iter(given.values())))
    return {language: str(given.get(language, usual)) for language in LANGUAGES}


def _condition(given: Any, place: Place) -> Condition:
    if not isinstance(given, dict) or not given:
        raise place.wrong("this is no condition", "write all:, any:, not:, feature:, purchases: or distance_to:")
    heads = [name for name in (*GROUPS, "feature", "purchases", "distance_to") if name in given]
    if len(heads) != 1:
        said = " and ".join(heads) or f"only {', '.join(map(str, given))}"
        raise place.wrong(
            f"a condition is exactly one of all, any, not, feature, purchases, distance_to; here is {said}",
            "put several conditions into a list under all: or any:",
        )
    head = heads[0]
    rest = {str(key): value for key, value in given.items() if key != head}
    if head in GROUPS:
        return _group(head, given[head], rest, place.inside(head))
    compared = {"feature": _feature, "purchases": _purchases, "distance_to": _distance}[head]
    return compared(given[head], rest, place.inside(f"{head} {given[head]}" if head == "feature" else head))


def _group(head: str, given: Any, rest: Mapping[str, Any], place: Place) -> Condition:
    if rest:
        raise place.wrong(f"{min(rest)} cannot stand beside {head}", f"move it into the list under {head}:")
    if head == "not" and isinstance(given, dict):
        given = [given]
    if not isinstance(given, list) or not given:
        raise place.wrong("there is no list of conditions", f"write each condition below {head}: behind a dash")
    return Condition(head, tuple(_condition(part, place.inside(str(n))) for n, part in enumerate(given, start=1)))


def _feature(name: Any, rest: Mapping[str, Any], place: Place) -> Condition:
    if name not in COLUMNS:
        raise place.wrong(f"there is no feature '{name}'", _nearest(str(name), COLUMNS))
    return Condition("feature", name=name, compared=_compared(rest, COLUMNS[name], place))


def _purchases(where: Any, rest: Mapping[str, Any], place: Place) -> Condition:
    given = {} if where is None else where
    if not isinstance(given, dict):
        raise place.wrong("purchases: takes category, merchant, … and within_days", "write {within_days: 90}")
    _known(given, (*_WHERE, "within_days"), place)
    days = given.get("within_days")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or days < 1):
        raise place.wrong(f"within_days {days!r} is not a whole number of days from 1 on", "write within_days: 90")
    return Condition("purchases", where=_values(given, place), compared=_compared(rest, "int", place))


def _distance(where: Any, rest: Mapping[str, Any], place: Place) -> Condition:
    if not isinstance(where, dict) or len(where) != 1 or next(iter(where)) not in ("store", "merchant"):
        raise place.wrong("distance_to: takes one store, or a merchant's nearest store", "write {store: s1}")
    renamed = {key.removesuffix("_km"): value for key, value in rest.items()}
    if any(not key.endswith("_km") for key in rest):
        raise place.wrong("a distance is compared in kilometres", "write at_most_km: 2")
    return Condition("distance", where=_values(where, place), compared=_compared(renamed, "double", place))


def _values(given: Mapping[str, Any], place: Place) -> tuple[tuple[str, Any], ...]:
    for name, value in given.items():
        listed = value if isinstance(value, list) else [value]
        if name != "within_days" and (not listed or not all(isinstance(one, str) for one in listed)):
            raise place.wrong(f"{name} {value!r} is not text", f'write {name}: "…", or a list of such')
    return tuple(
        (name, tuple(value) if isinstance(value, list) else (value,) if name != "within_days" else value)
        for name, value in sorted(given.items())
    )


def _compared(given: Mapping[str, Any], kind: str, place: Place) -> tuple[Compared, ...]:
    _known(given, COMPARISONS, place)
    if not given:
        raise place.wrong("it is compared with nothing", "write at_least: 3, or is: active")
    found = []
    for operator, value in given.items():
        listed = value if operator == "in" and isinstance(value, list) and value else [value]
        expected = "boolean" if operator == "known" else kind
        if operator == "in" and not isinstance(value, list):
            raise place.wrong("in: takes a list", "write in: [a, b]")
        if operator in _ORDERED and kind in ("text", "boolean"):
            raise place.wrong(f"{operator} does not fit {kind}", "use is, is_not or in")
        for one in listed:
            if not _fits(one, expected):
                raise place.wrong(f"{operator}: {one!r} is not {_SAID[expected]}", f"write {_SAID[expected]}")
        found.append(Compared(operator, tuple(listed) if operator == "in" else value))
    return tuple(found)


_SAID = {"text": "text", "boolean": "true or false", "int": "a number", "double": "a number", "money": "a number"}


def _fits(value: Any, kind: str) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) < 1e15


def _known(given: Mapping[str, Any], known: Iterable[str], place: Place) -> None:
    for name in map(str, given):
        if name not in known:
            raise place.wrong(f"there is no '{name}' here", _nearest(name, known))


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=3)
    return f"use {' or '.join(near)}" if near else f"use one of {', '.join(list(known)[:12])}"
