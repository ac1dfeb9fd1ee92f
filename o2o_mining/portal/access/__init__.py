"""Who may enter, see and do what: users, sessions, tokens, rights, and the log of what they did."""

from __future__ import annotations

import time
from pathlib import Path

from o2o_mining.portal.access.audit import Audit
from o2o_mining.portal.access.passwords import Passwords
from o2o_mining.portal.access.sessions import Sessions
from o2o_mining.portal.access.store import FILE, FOLDER, Clock, Store
from o2o_mining.portal.access.throttle import Throttle
from o2o_mining.portal.access.tokens import Tokens
from o2o_mining.portal.access.users import Users

__all__ = ["Access"]


class Access:
    """All that is kept of who may enter.

    Parameters
    ----------
    home
        Folder of the home; the file lies in its ``portal`` folder.
    secure
        Whether browsers reach the portal by TLS, so that cookies may ask for it.
    clock
        What time it is, in seconds since 1970.
    passwords
        How passwords are hashed.

    Attributes
    ----------
    users, sessions, tokens, throttle, audit
        The parts.
    """

    def __init__(
        self, home: Path, *, secure: bool = False, clock: Clock = time.time, passwords: Passwords | None = None
    ) -> None:
        self.secure, self.clock = secure, clock
        self.store = Store(home / FOLDER / FILE)
        self.users = Users(self.store, clock, passwords or Passwords())
        self.sessions = Sessions(self.store, clock)
        self.tokens = Tokens(self.store, clock)
        self.throttle = Throttle(self.store, clock)
        self.audit = Audit(self.store, clock)
