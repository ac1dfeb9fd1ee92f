"""Errors a user can act on: what is wrong, where, and the next step."""

from __future__ import annotations


class O2OError(Exception):
    """A failure that the user can mend.

    Parameters
    ----------
    message
        What is wrong: the file, the table, the rule, the count.
    next_step
        What to do about it, as a command or a sentence.

    Examples
    --------
    >>> str(O2OError("no snapshot in var/sample", next_step="o2o run"))
    'no snapshot in var/sample. Next: o2o run'
    """

    def __init__(self, message: str, *, next_step: str = "") -> None:
        self.message = message
        self.next_step = next_step
        super().__init__(f"{message}. Next: {next_step}" if next_step else message)


class UsageError(O2OError):
    """The command or call was wrong as given; exit code 2."""


class ContractError(O2OError):
    """A table breaks the contract it was declared with."""


class UnreadableError(O2OError):
    """The bytes of a file are not what the end of its name says."""


class HomeError(O2OError):
    """A home cannot be opened, is of another source, or holds no snapshot."""


class WarehouseBusyError(HomeError):
    """Another process holds the warehouse."""
