"""The users of the portal and their roles."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from o2o_mining.core.errors import UsageError
from o2o_mining.core.languages import known_language
from o2o_mining.portal.access.passwords import Passwords
from o2o_mining.portal.access.rights import ADMINISTRATOR, MERCHANT, ROLES
from o2o_mining.portal.access.store import Clock, Store, digest, new_secret

LINK_HOURS = 48


@dataclass(frozen=True)
class User:
    """Somebody who may enter.

    Attributes
    ----------
    id, name, role
        Number, name to log in with, and one of ``ROLES``.
    language
        What pages are shown in; empty for what the browser asks for.
    active
        Whether the user may enter.
    merchants
        The merchants that a merchant's user sees, and nothing else.
    """

    id: int
    name: str
    role: str
    language: str
    active: bool
    merchants: tuple[str, ...] = ()


class Users:
    """Adds, finds and changes users.

    Parameters
    ----------
    store, clock, passwords
        Where they are kept, what time it is, and how passwords are hashed.
    """

    def __init__(self, store: Store, clock: Clock, passwords: Passwords) -> None:
        self._store, self._clock, self._passwords = store, clock, passwords

    def add(self, name: str, role: str, merchants: Sequence[str] = (), *, subject: str | None = None) -> User:
        """Add a user without a password.

        Raises
        ------
        UsageError
            If the name is taken or no name, there is no such role, or role and merchants do not fit.
        """
        if not re.fullmatch(r"[\w.@+-]{1,100}", name):
            raise UsageError(f"'{name}' is no name for a user", next_step="use letters, digits and . @ + - _")
        _refuse_role(role, merchants)
        try:
            with self._store.transaction():
                self._store.write(
                    "INSERT INTO users (name, role, subject, created_at) VALUES (?, ?, ?, ?)",
                    name, role, subject, self._clock(),
                )  # fmt: skip
                user_id = self._named(name).id
                self._set_merchants(user_id, merchants)
        except sqlite3.IntegrityError:
            raise UsageError(f"there is a user '{name}'", next_step="choose another name") from None
        return self._named(name)

    def change(self, user: User, *, role: str, merchants: Sequence[str], active: bool) -> None:
        """Give a user another role, or close the door; whoever is in is put out.

        Raises
        ------
        UsageError
            If there is no such role, role and merchants do not fit, or no administrator would be left.
        """
        _refuse_role(role, merchants)
        with self._store.transaction():
            self._store.write("UPDATE users SET role = ?, active = ? WHERE id = ?", role, active, user.id)
            self._set_merchants(user.id, merchants)
            self._store.write("DELETE FROM sessions WHERE user_id = ?", user.id)
            if user.role == ADMINISTRATOR and not self.is_managed():
                raise UsageError("no administrator would be left", next_step="make another one first")

    def set_language(self, user_id: int, language: str) -> None:
        """Remember the language that a user reads."""
        self._store.write("UPDATE users SET language = ? WHERE id = ?", known_language(language), user_id)

    def set_password(self, user_id: int, password: str) -> None:
        """Set a password; sessions and links of before end."""
        kept = self._passwords.hash(password)
        with self._store.transaction():
            self._store.write("UPDATE users SET password = ? WHERE id = ?", kept, user_id)
            self._store.write("DELETE FROM sessions WHERE user_id = ?", user_id)
            self._store.write("DELETE FROM links WHERE user_id = ?", user_id)

    def checked(self, name: str, password: str) -> User | None:
        """Return the user with this name and password; takes as long if there is none."""
        row = self._store.one("SELECT id, password, active FROM users WHERE name = ?", name)
        matches = self._passwords.matches(row["password"] if row else None, password)
        return self.get(row["id"]) if row and matches and row["active"] else None

    def get(self, user_id: int) -> User | None:
        """Return a user by number."""
        row = self._store.one("SELECT * FROM users WHERE id = ?", user_id)
        if row is None:
            return None
        merchants = self._store.all("SELECT merchant_id FROM user_merchants WHERE user_id = ? ORDER BY 1", user_id)
        return User(
            row["id"], row["name"], row["role"], row["language"], bool(row["active"]), tuple(m[0] for m in merchants)
        )

    def of_subject(self, subject: str) -> User | None:
        """Return the user whom an identity provider calls so."""
        row = self._store.one("SELECT id FROM users WHERE subject = ?", subject)
        return self.get(row["id"]) if row else None

    def all(self) -> list[User]:
        """Return all users by name."""
        ids = self._store.all("SELECT id FROM users ORDER BY name")
        return [user for row in ids if (user := self.get(row["id"]))]

    def is_managed(self) -> bool:
        """Return whether there is an administrator who may enter."""
        return bool(self._store.one("SELECT 1 FROM users WHERE role = 'administrator' AND active"))

    def anybody_entered(self) -> bool:
        """Return whether there is a user who can enter: with a password, or by an identity provider."""
        return bool(self._store.one("SELECT 1 FROM users WHERE active AND coalesce(password, subject) IS NOT NULL"))

    def new_link(self, user_id: int) -> str:
        """Return the secret of a link with which a user sets a password, once, within two days."""
        secret = new_secret()
        with self._store.transaction():
            self._store.write("DELETE FROM links WHERE user_id = ? OR expires_at < ?", user_id, self._clock())
            expires_at = self._clock() + LINK_HOURS * 3600
            self._store.write("INSERT INTO links VALUES (?, ?, ?)", digest(secret), user_id, expires_at)
        return secret

    def of_link(self, secret: str) -> User | None:
        """Return the user of a link that was not used and has not expired."""
        row = self._store.one(
            "SELECT user_id FROM links JOIN users ON users.id = user_id "
            "WHERE digest = ? AND expires_at >= ? AND active",
            digest(secret), self._clock(),
        )  # fmt: skip
        return self.get(row["user_id"]) if row else None

    def _named(self, name: str) -> User:
        row = self._store.one("SELECT id FROM users WHERE name = ?", name)
        found = self.get(row["id"]) if row else None
        if found is None:
            raise UsageError(f"there is no user '{name}'")
        return found

    def _set_merchants(self, user_id: int, merchants: Sequence[str]) -> None:
        self._store.write("DELETE FROM user_merchants WHERE user_id = ?", user_id)
        for merchant in sorted(set(merchants)):
            self._store.write("INSERT INTO user_merchants VALUES (?, ?)", user_id, merchant)


def _refuse_role(role: str, merchants: Sequence[str]) -> None:
    if role not in ROLES:
        raise UsageError(f"there is no role '{role}'", next_step=f"use one of {', '.join(ROLES)}")
    if (role == MERCHANT) != bool(merchants):
        raise UsageError("a merchant's user has merchants, and nobody else", next_step="name them, or another role")
