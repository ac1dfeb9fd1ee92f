"""Sessions: who is in, for how long."""

from __future__ import annotations

from o2o_mining.portal.access.store import Clock, Store, digest, new_secret

IDLE_SECONDS = 2 * 3600
LONGEST_SECONDS = 12 * 3600

# When somebody was seen last is noted once a minute, so that a look at a page writes nothing.
_NOTED_SECONDS = 60


class Sessions:
    """Begins, finds and ends sessions; what is kept of one does not let anybody in.

    Parameters
    ----------
    store, clock
        Where they are kept, and what time it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def begin(self, user_id: int) -> str:
        """Return the secret of a new session, for a cookie."""
        secret, now = new_secret(), self._clock()
        with self._store.transaction():
            self._store.write(
                "DELETE FROM sessions WHERE seen_at < ? OR started_at < ?", now - IDLE_SECONDS, now - LONGEST_SECONDS
            )
            self._store.write("INSERT INTO sessions VALUES (?, ?, ?, ?)", digest(secret), user_id, now, now)
        return secret

    def user_of(self, secret: str) -> int | None:
        """Return the user of a session that is neither too old nor idle for too long."""
        now = self._clock()
        row = self._store.one("SELECT * FROM sessions WHERE digest = ?", digest(secret))
        if row is None or now - row["seen_at"] > IDLE_SECONDS or now - row["started_at"] > LONGEST_SECONDS:
            return None
        if now - row["seen_at"] >= _NOTED_SECONDS:
            self._store.write("UPDATE sessions SET seen_at = ? WHERE digest = ?", now, row["digest"])
        return int(row["user_id"])

    def end(self, secret: str) -> None:
        """End a session."""
        self._store.write("DELETE FROM sessions WHERE digest = ?", digest(secret))
