"""The keys that sign tracking codes: a file of the home that only its owner reads."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

from filelock import FileLock

from o2o_mining.core.errors import HomeError, UsageError

KEYS_FILE = "tracking.keys"
_BYTES = 32
_BLOCK = 64  # bytes of a block of SHA-256
_ABOUT = (
    "# Keys that sign tracking codes, the one in use last. Keep them secret, and keep the old ones:\n"
    "# codes signed with a key that is gone are foreign. See docs/tracking.md.\n"
)


def signer(key: bytes) -> Callable[[bytes], bytes]:
    """Return HMAC-SHA-256 under a key, as a function of the message.

    The hash of the key's blocks is made once, as RFC 2104 (section 4) proposes: a third of the time of `hmac.digest`
    on messages as short as these.

    Parameters
    ----------
    key
        32 bytes.

    Examples
    --------
    >>> import hmac
    >>> signer(bytes(32))(b"send") == hmac.digest(bytes(32), b"send", "sha256")
    True
    """
    block = key.ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def sign(message: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    return sign


def key_mark(key: bytes) -> int:
    """Return the ten bits by which codes say which key signed them; they say nothing about the key.

    Examples
    --------
    >>> key_mark(bytes(32))
    525
    """
    return int.from_bytes(signer(key)(b"mark")[:2]) >> 6


@dataclass(frozen=True)
class Keys:
    """The keys of a home; they show in no message and no log.

    Parameters
    ----------
    secrets
        32 bytes each, the one in use last; none for a home that never minted.

    Raises
    ------
    UsageError
        If a key has another length, or two have the same mark.

    Examples
    --------
    >>> Keys((bytes(32),))
    Keys()
    """

    secrets: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse keys that could not be told apart."""
        if any(len(key) != _BYTES for key in self.secrets):
            raise UsageError(f"a key for tracking codes has {_BYTES} bytes", next_step="make one with make_keys")
        if len(self.by_mark) < len(self.secrets):
            raise UsageError("two keys for tracking codes have the same mark", next_step="make another key")

    @property
    def by_mark(self) -> dict[int, bytes]:
        """Each key by the mark that its codes carry."""
        return {key_mark(key): key for key in self.secrets}


def read_keys(home: Path) -> Keys:
    """Return the keys of a home; none if it never minted.

    Parameters
    ----------
    home
        Folder of the home.

    Returns
    -------
    Keys
        All of them, the one in use last.

    Raises
    ------
    HomeError
        If the file holds something else.

    Examples
    --------
    >>> read_keys(Path("no-such-home")).secrets
    ()
    """
    path = home / KEYS_FILE
    if not path.exists():
        return Keys(())
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    given = [line for line in lines if line and not line.startswith("#")]
    if not given or not all(re.fullmatch(rf"[0-9a-f]{{{2 * _BYTES}}}", line) for line in given):
        raise HomeError(  # what stands there is not shown: it may be most of a key
            f"{path} is not a list of keys, each of {2 * _BYTES} hexadecimal digits",
            next_step="take it back from a backup: with other keys all codes sent so far are foreign",
        )
    return Keys(tuple(bytes.fromhex(line) for line in given))


def make_keys(home: Path) -> Keys:
    """Return the keys of a home, making its first if it has none.

    Parameters
    ----------
    home
        Folder of the home; it must exist.

    Returns
    -------
    Keys
        At least one. Whoever makes them at the same moment gets the same.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     make_keys(Path(folder)) == make_keys(Path(folder))
    True
    """
    with _alone(home):
        if not read_keys(home).secrets:
            _write(home, (secrets.token_bytes(_BYTES),))
    return read_keys(home)


def turn_key(home: Path) -> Keys:
    """Sign with a new key from now on; codes signed with the older ones stay readable.

    Parameters
    ----------
    home
        Folder of the home; it must exist.

    Returns
    -------
    Keys
        The older ones and the new one.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     first, second = make_keys(Path(folder)), turn_key(Path(folder))
    >>> second.secrets[:1] == first.secrets, len(second.secrets)
    (True, 2)
    """
    with _alone(home):
        keys = read_keys(home)
        new = secrets.token_bytes(_BYTES)
        while key_mark(new) in keys.by_mark:
            new = secrets.token_bytes(_BYTES)
        _write(home, (*keys.secrets, new))
    return read_keys(home)


def _alone(home: Path) -> FileLock:
    """Keep other processes from making a key at the same moment: one of the two would be lost."""
    return FileLock(home / f"{KEYS_FILE}.lock")


def _write(home: Path, keys: tuple[bytes, ...]) -> None:
    """Write the keys whole or not at all, into a file that only its owner may read from the first byte on."""
    with NamedTemporaryFile("w", dir=home, prefix=f".{KEYS_FILE}-", delete=False, encoding="utf-8") as file:
        file.write(_ABOUT + "".join(f"{key.hex()}\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(home / KEYS_FILE)
