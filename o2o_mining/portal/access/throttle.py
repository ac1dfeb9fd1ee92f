"""Slows down whoever guesses: every failure beyond the first few doubles the wait, per user and per address."""

from __future__ import annotations

from o2o_mining.portal.access.store import Clock, Store

# So many failures are free: people mistype, and many may sit behind one address.
FREE = {"user": 5, "address": 30}
LONGEST_SECONDS = 15 * 60
FORGOTTEN_SECONDS = 24 * 3600


class Throttle:
    """Counts failed logins.

    Parameters
    ----------
    store, clock
        Where they are kept, and what time it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def begin(self, name: str, address: str) -> float:
        """Return the seconds to wait before an attempt; if there are none, count it as failed until it succeeds.

        Counting comes first, so that a hundred attempts at one moment are a hundred attempts.
        """
        keys = {f"user:{name.casefold()[:100]}": FREE["user"], f"address:{address}": FREE["address"]}
        now = self._clock()
        with self._store.transaction():
            self._store.write("DELETE FROM attempts WHERE last_at < ?", now - FORGOTTEN_SECONDS)
            wait = max(self._wait(key, free, now) for key, free in keys.items())
            if wait <= 0:
                for key in keys:
                    self._store.write(
                        "INSERT INTO attempts VALUES (?, 1, ?) "
                        "ON CONFLICT (key) DO UPDATE SET failures = failures + 1, last_at = excluded.last_at",
                        key, now,
                    )  # fmt: skip
        return max(wait, 0.0)

    def succeeded(self, name: str, address: str) -> None:
        """Take back what the attempt counted: the user's failures are forgotten, the address keeps those before."""
        with self._store.transaction():
            self._store.write("DELETE FROM attempts WHERE key = ?", f"user:{name.casefold()[:100]}")
            self._store.write("UPDATE attempts SET failures = failures - 1 WHERE key = ?", f"address:{address}")

    def _wait(self, key: str, free: int, now: float) -> float:
        row = self._store.one("SELECT failures, last_at FROM attempts WHERE key = ?", key)
        if row is None or row["failures"] < free:
            return 0.0
        pause = min(2.0 ** min(row["failures"] - free, 20), LONGEST_SECONDS)
        return float(row["last_at"] + pause - now)
