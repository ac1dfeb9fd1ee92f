"""The log of who came in, looked at whom, took what away and approved what."""

from __future__ import annotations

from dataclasses import dataclass

from o2o_mining.portal.access.store import Clock, Store

# Everything that is logged; each has a text in every language.
ACTIONS = (
    "login", "login_failed", "login_refused", "logout", "password_set", "token_made", "token_revoked",
    "user_added", "user_changed", "link_made", "people_seen", "download", "approved", "refused",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One line: when, who, from where, did what, to whom or what, and what else is to be known."""

    at: float
    user: str
    address: str
    action: str
    subject: str
    detail: str


class Audit:
    """Adds to the log and reads it; nothing is ever changed or removed.

    Parameters
    ----------
    store, clock
        Where it is kept, and what time it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def note(self, action: str, *, user: str, address: str, subject: str = "", detail: str = "") -> None:
        """Add a line.

        Raises
        ------
        KeyError
            If there is no such action.
        """
        if action not in ACTIONS:
            raise KeyError(action)
        self._store.write(
            "INSERT INTO audit (at, user, address, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?)",
            self._clock(), user, address, action, subject[:500], detail[:2000],
        )  # fmt: skip

    def lines(self, *, limit: int, offset: int = 0, user: str = "", action: str = "") -> list[Entry]:
        """Return lines, the latest first, of all or of one user or action."""
        rows = self._store.all(
            "SELECT * FROM audit WHERE (? = '' OR user = ?) AND (? = '' OR action = ?) "
            "ORDER BY id DESC LIMIT ? OFFSET ?",
            user, user, action, action, limit, offset,
        )  # fmt: skip
        return [Entry(**{name: row[name] for name in Entry.__dataclass_fields__}) for row in rows]

    def count(self, *, user: str = "", action: str = "") -> int:
        """Return how many lines there are of all or of one user or action."""
        row = self._store.one(
            "SELECT count(*) FROM audit WHERE (? = '' OR user = ?) AND (? = '' OR action = ?)",
            user, user, action, action,
        )  # fmt: skip
        return int(row[0]) if row else 0
