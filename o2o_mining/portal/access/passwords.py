"""Passwords: what is a good one, and how they are kept."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

SHORTEST = 12
LONGEST = 200

# What people take first where twelve characters are asked for.
_USUAL = {
    "password",
    "passwort",
    "123456789",
    "1234567890",
    "qwertyuiop",
    "letmein",
    "admin",
    "welcome",
    "o2o",
    "mining",
}


class Passwords:
    """Hashes passwords with argon2id and checks them; never more than two at once, as each takes 64 MiB.

    Parameters
    ----------
    hasher
        With the cost of one hash; that of RFC 9106 for servers by default.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = threading.Semaphore(2)
        self._nobodys = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        with self._slots:
            return self._hasher.hash(password)

    def matches(self, kept: str | None, password: str) -> bool:
        """Return whether a password is the one kept; takes as long where there is none."""
        with self._slots:
            try:
                self._hasher.verify(kept or self._nobodys, password[:LONGEST])
            except (VerifyMismatchError, InvalidHashError):
                return False
        return kept is not None


def weakness(password: str, name: str) -> str:
    """Return the code of what is wrong with a new password, or nothing.

    Parameters
    ----------
    password
        The password.
    name
        Of the user: it must not be part of it.

    Examples
    --------
    >>> weakness("short", "ann"), weakness("password-password", "ann"), weakness("four words in a row", "ann")
    ('password_short', 'password_usual', '')
    """
    if len(password) < SHORTEST:
        return "password_short"
    if len(password) > LONGEST:
        return "password_long"
    rest = password.casefold()
    for usual in (name.casefold(), *sorted(_USUAL, key=len, reverse=True)):
        rest = rest.replace(usual, "")
    letters = [sign for sign in rest if sign.isalnum()]
    return "password_usual" if len(set(letters)) < 5 else ""
