"""Keys: made once, readable by their owner alone, never shown, and never lost by turning."""

from __future__ import annotations

import hmac
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_mining.core.errors import HomeError, UsageError
from o2o_mining.tracking import Keys, make_keys, read_keys, turn_key
from o2o_mining.tracking.keys import KEYS_FILE, signer


def test_a_home_has_no_key_until_one_is_needed(tmp_path: Path) -> None:
    assert read_keys(tmp_path).secrets == ()
    assert list(tmp_path.iterdir()) == []
    made = make_keys(tmp_path)
    assert len(made.secrets) == 1
    assert read_keys(tmp_path) == made == make_keys(tmp_path)


def test_only_the_owner_may_read_the_file_and_no_copy_stays(tmp_path: Path) -> None:
    make_keys(tmp_path)
    turn_key(tmp_path)
    holding = [path for path in tmp_path.iterdir() if path.stat().st_size]
    assert [path.name for path in holding] == [KEYS_FILE]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600


def test_turning_keeps_the_older_keys(tmp_path: Path) -> None:
    first = make_keys(tmp_path)
    for count in (2, 3):
        assert turn_key(tmp_path).secrets[:1] == first.secrets
        assert len(read_keys(tmp_path).secrets) == count == len(read_keys(tmp_path).by_mark)


def test_whoever_makes_the_keys_at_once_gets_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make_keys, [tmp_path] * 8))
    assert set(made) == {read_keys(tmp_path)}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn_key, [tmp_path] * 4))
    assert len(read_keys(tmp_path).secrets) == 5


def test_keys_show_nowhere(tmp_path: Path) -> None:
    keys = make_keys(tmp_path)
    secret = keys.secrets[0]
    assert secret.hex() not in repr(keys) + str(keys)
    assert repr(secret) not in repr(keys)
    path = tmp_path / KEYS_FILE
    path.write_text(secret.hex()[:-1] + "\n")
    with pytest.raises(HomeError, match="not a list of keys") as caught:
        read_keys(tmp_path)
    assert secret.hex()[:8] not in str(caught.value)


@pytest.mark.parametrize("content", ["", "# nothing\n", "key\n", "ff" * 31 + "\n", "\x00\xff"])
def test_a_file_that_holds_something_else_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    path = tmp_path / KEYS_FILE
    path.write_text(content, encoding="latin-1")
    for reading in (read_keys, make_keys, turn_key):
        with pytest.raises(HomeError, match="backup"):
            reading(tmp_path)
    assert path.read_text(encoding="latin-1") == content


def test_keys_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(UsageError, match="same mark"):
        Keys((bytes(32), bytes(32)))
    with pytest.raises(UsageError, match="32 bytes"):
        Keys((b"short",))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_the_signature_is_hmac_sha256(key: bytes, message: bytes) -> None:
    assert signer(key)(message) == hmac.digest(key, message, "sha256")
