"""Tokens for programs: what a program may read in the name of a user, and until when."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from o2o_mining.core.errors import UsageError
from o2o_mining.portal.access.rights import SCOPES
from o2o_mining.portal.access.store import Clock, Store, digest, new_secret

PREFIX = "o2o_"
LONGEST_DAYS = 366


@dataclass(frozen=True)
class Token:
    """What is known of a token: its number, user, name, scopes, and until when it opens."""

    id: int
    user_id: int
    name: str
    scopes: frozenset[str]
    expires_at: float


class Tokens:
    """Makes, finds and revokes tokens.

    Parameters
    ----------
    store, clock
        Where they are kept, and what time it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def make(self, user_id: int, name: str, scopes: Sequence[str], days: int) -> str:
        """Return a new token, which is shown once.

        Raises
        ------
        UsageError
            If it has no name or scope, there is no such scope, or it would live too long.
        """
        if not name.strip() or not scopes or set(scopes) - set(SCOPES):
            raise UsageError("a token has a name and scopes", next_step=f"choose from {', '.join(SCOPES)}")
        if not 1 <= days <= LONGEST_DAYS:
            raise UsageError(f"a token lives 1 to {LONGEST_DAYS} days")
        secret, now = PREFIX + new_secret(), self._clock()
        self._store.write(
            "INSERT INTO tokens (digest, user_id, name, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
            digest(secret), user_id, name.strip()[:100], " ".join(sorted(set(scopes))), now, now + days * 86400,
        )  # fmt: skip
        return secret

    def find(self, secret: str) -> Token | None:
        """Return a token that has not expired."""
        row = self._store.one(
            "SELECT * FROM tokens WHERE digest = ? AND expires_at >= ?", digest(secret), self._clock()
        )
        return _token(row) if row else None

    def of(self, user_id: int) -> list[Token]:
        """Return the tokens of a user."""
        return [_token(row) for row in self._store.all("SELECT * FROM tokens WHERE user_id = ? ORDER BY id", user_id)]

    def is_any_for(self, scope: str) -> bool:
        """Return whether there is a token for a scope that has not expired."""
        rows = self._store.all("SELECT scopes FROM tokens WHERE expires_at >= ?", self._clock())
        return any(scope in row["scopes"].split() for row in rows)

    def revoke(self, user_id: int, token_id: int) -> None:
        """Revoke a token of a user."""
        self._store.write("DELETE FROM tokens WHERE user_id = ? AND id = ?", user_id, token_id)


def _token(row: sqlite3.Row) -> Token:
    return Token(row["id"], row["user_id"], row["name"], frozenset(row["scopes"].split()), row["expires_at"])
