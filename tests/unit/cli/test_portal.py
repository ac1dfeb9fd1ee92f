"""``o2o portal``: whom it lets listen, and whom it gives a link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from o2o_mining.cli import main
from o2o_mining.cli.portal import new_links, refuse_open_door
from o2o_mining.core.errors import UsageError
from o2o_mining.portal import Access

CLOSED = {"tls_cert": None, "tls_key": None, "behind_proxy": None}


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    made = Access(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_may_be_listened_on(host: str) -> None:
    refuse_open_door(host, **CLOSED)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "portal.example"])
def test_the_network_is_listened_to_only_with_tls_or_a_proxy(host: str) -> None:
    with pytest.raises(UsageError, match="unencrypted"):
        refuse_open_door(host, **CLOSED)
    refuse_open_door(host, tls_cert="chain.pem", tls_key="key.pem", behind_proxy=None)
    refuse_open_door(host, tls_cert=None, tls_key=None, behind_proxy="10.0.0.5")


def test_a_certificate_without_its_key_is_refused() -> None:
    with pytest.raises(UsageError, match="a certificate and its key"):
        refuse_open_door("127.0.0.1", tls_cert="chain.pem", tls_key=None, behind_proxy=None)


def test_the_first_start_makes_an_administrator_who_sets_a_password_by_link(access: Access) -> None:
    ((name, secret),) = new_links(access, None)
    user = access.users.of_link(secret)
    assert user is not None
    assert (name, user.name, user.role) == ("admin", "admin", "administrator")
    access.users.set_password(user.id, "four words in a row")
    assert new_links(access, None) == []


def test_a_link_that_was_lost_before_it_was_used_is_replaced_at_the_next_start(access: Access) -> None:
    first, second = new_links(access, None), new_links(access, None)
    assert access.users.of_link(first[0][1]) is None
    assert access.users.of_link(second[0][1]) is not None


def test_a_link_can_be_asked_for_and_an_unknown_user_names_the_others(access: Access) -> None:
    new_links(access, None)
    user = access.users.add("ann", "analyst")
    ((name, secret),) = new_links(access, "ann")
    assert (name, access.users.of_link(secret)) == ("ann", user)
    with pytest.raises(UsageError, match=r"there is no user 'eve'.*use one of admin, ann"):
        new_links(access, "eve")


def test_the_command_refuses_an_open_door_with_the_exit_code_of_wrong_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["portal", "--home", str(tmp_path), "--host", "0.0.0.0"])
    assert (done.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "--tls-cert" in done.output
