"""The table of rights: which role may use which page by which method; what does not stand there is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml
from starlette.routing import compile_path

if TYPE_CHECKING:
    import re

ADMINISTRATOR = "administrator"
ANALYST = "analyst"
MARKETER = "marketer"
MERCHANT = "merchant"
ROLES = (ADMINISTRATOR, ANALYST, MARKETER, MERCHANT)
# Who need not be logged in.
ANYONE = "anyone"

# What a token may be made for.
SCOPES = ("segments", "members", "offers", "campaigns", "files")

# Who sees what identifies a person beyond the customer's id. Analysts work with ids.
SEE_PERSONAL = frozenset({ADMINISTRATOR, MARKETER})

API = "/api/"


@dataclass(frozen=True)
class Right:
    """A page: its path as its route has it, the roles by method, and for the API the scope."""

    path: str
    roles: Mapping[str, frozenset[str]]
    scope: str
    pattern: re.Pattern[str]


def rights() -> tuple[Right, ...]:
    """Return the table, in its order."""
    return _read()


@cache
def _read() -> tuple[Right, ...]:
    text = files("o2o_mining.portal.access").joinpath("rights.yaml").read_text(encoding="utf-8")
    declared: dict[str, dict[str, Any]] = yaml.safe_load(text)
    found = []
    for path, entry in declared.items():
        methods = {method: frozenset(roles) for method, roles in entry.items() if method != "scope"}
        found.append(Right(path, methods, entry.get("scope", ""), compile_path(path)[0]))
    return tuple(found)


def scopes_of(role: str) -> tuple[str, ...]:
    """Return the scopes that tokens of a role can use."""
    usable = {right.scope for right in rights() for roles in right.roles.values() if role in roles}
    return tuple(scope for scope in SCOPES if scope in usable)


def right_of(path: str) -> tuple[Right, dict[str, str]] | None:
    """Return what the table says of the path of a request, and the values in it.

    Examples
    --------
    >>> found = right_of("/segments/rfm/lost")
    >>> found[0].path, found[1]
    ('/segments/{scheme}/{code:path}', {'scheme': 'rfm', 'code': 'lost'})
    >>> right_of("/nowhere")
    """
    for right in rights():
        if match := right.pattern.match(path):
            return right, match.groupdict()
    return None
