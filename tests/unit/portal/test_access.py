"""What is kept of users, sessions, links and tokens, and for how long."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from o2o_mining.core.errors import UsageError
from o2o_mining.portal.access import Access
from o2o_mining.portal.access.sessions import IDLE_SECONDS, LONGEST_SECONDS
from o2o_mining.portal.access.store import FILE, FOLDER
from tests.unit.portal.conftest import CHEAP, PASSWORD, Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def access(tmp_path: Path, time: Time) -> Iterator[Access]:
    made = Access(tmp_path, clock=time, passwords=CHEAP)
    yield made
    made.store.close()


@pytest.mark.usefixtures("access")
def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / FOLDER / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700


def test_the_file_holds_nothing_that_opens_a_door(access: Access, tmp_path: Path) -> None:
    user = access.users.add("ann", "analyst")
    access.users.set_password(user.id, PASSWORD)
    secrets = [
        access.users.new_link(user.id), access.sessions.begin(user.id),
        access.tokens.make(user.id, "job", ["segments"], 1), PASSWORD,
    ]  # fmt: skip
    held = b"".join(file.read_bytes() for file in (tmp_path / FOLDER).iterdir())
    assert [secret for secret in secrets if secret.encode() in held] == []


def test_a_session_ends_when_idle_and_at_the_latest_after_half_a_day(access: Access, time: Time) -> None:
    user = access.users.add("ann", "analyst")
    secret, began = access.sessions.begin(user.id), time.seconds
    time.seconds += IDLE_SECONDS - 1
    assert access.sessions.user_of(secret) == user.id
    time.seconds += IDLE_SECONDS + 1
    assert access.sessions.user_of(secret) is None
    secret, began = access.sessions.begin(user.id), time.seconds
    while time.seconds + 3600 <= began + LONGEST_SECONDS:
        time.seconds += 3600
        assert access.sessions.user_of(secret) == user.id
    time.seconds = began + LONGEST_SECONDS + 1
    assert access.sessions.user_of(secret) is None


def test_a_new_password_ends_all_sessions_and_links(access: Access) -> None:
    user = access.users.add("ann", "analyst")
    link, session = access.users.new_link(user.id), access.sessions.begin(user.id)
    access.users.set_password(user.id, PASSWORD)
    assert access.sessions.user_of(session) is None
    assert access.users.of_link(link) is None


def test_a_newer_link_replaces_the_older(access: Access) -> None:
    user = access.users.add("ann", "analyst")
    first, second = access.users.new_link(user.id), access.users.new_link(user.id)
    assert access.users.of_link(first) is None
    assert access.users.of_link(second) == user


def test_who_is_put_out_does_not_get_in(access: Access) -> None:
    user = access.users.add("ann", "analyst")
    access.users.add("root", "administrator")
    access.users.set_password(user.id, PASSWORD)
    session, link = access.sessions.begin(user.id), access.users.new_link(user.id)
    access.users.change(user, role="analyst", merchants=(), active=False)
    assert access.users.checked("ann", PASSWORD) is None
    assert access.sessions.user_of(session) is None
    assert access.users.of_link(link) is None


def test_the_last_administrator_stays(access: Access) -> None:
    root = access.users.add("root", "administrator")
    for role, active in [("analyst", True), ("administrator", False)]:
        with pytest.raises(UsageError, match="no administrator would be left"):
            access.users.change(root, role=role, merchants=(), active=active)
    assert access.users.get(root.id) == root


@pytest.mark.parametrize(
    ("name", "role", "merchants"),
    [("", "analyst", ()), ("a b", "analyst", ()), ("a", "owner", ()), ("a", "merchant", ()), ("a", "analyst", ("m",))],
)
def test_users_without_a_name_or_with_a_role_that_does_not_fit_are_refused(
    access: Access, name: str, role: str, merchants: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError):
        access.users.add(name, role, merchants)
    assert access.users.all() == []


def test_names_are_taken_whatever_their_case(access: Access) -> None:
    access.users.add("Ann", "analyst")
    with pytest.raises(UsageError, match="there is a user 'ann'"):
        access.users.add("ann", "analyst")


def test_a_token_opens_until_it_expires_or_is_revoked(access: Access, time: Time) -> None:
    user = access.users.add("ann", "analyst")
    secret = access.tokens.make(user.id, "nightly job", ["segments", "files"], 30)
    token = access.tokens.find(secret)
    assert token is not None
    assert (token.user_id, token.name, sorted(token.scopes)) == (user.id, "nightly job", ["files", "segments"])
    time.seconds += 30 * 86400 + 1
    assert access.tokens.find(secret) is None
    other = access.tokens.make(user.id, "other", ["offers"], 1)
    access.tokens.revoke(user.id, access.tokens.of(user.id)[-1].id)
    assert access.tokens.find(other) is None


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [(" ", ["files"], 1), ("a", [], 1), ("a", ["all"], 1), ("a", ["files"], 0), ("a", ["files"], 400)],
)
def test_tokens_without_name_scope_or_end_are_refused(access: Access, name: str, scopes: list[str], days: int) -> None:
    user = access.users.add("ann", "analyst")
    with pytest.raises(UsageError):
        access.tokens.make(user.id, name, scopes, days)


def test_nothing_is_logged_that_has_no_name(access: Access) -> None:
    with pytest.raises(KeyError):
        access.audit.note("something", user="", address="")
