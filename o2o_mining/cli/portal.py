"""``o2o portal``: the web pages of a home."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import click

from o2o_mining.cli.output import home_option, reporting_errors
from o2o_mining.core.errors import UsageError
from o2o_mining.engine.home import home_path

if TYPE_CHECKING:
    from o2o_mining.portal import Access

FIRST_USER = "admin"
# Addresses to listen on that no browser can open.
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - such a one is refused without TLS or a proxy


@click.command()
@home_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8420, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="Certificate chain, as PEM.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="Its private key, as PEM.")
@click.option("--behind-proxy", metavar="ADDRESS", help="The proxy in front, which speaks TLS with browsers.")
@click.option("--link-for", metavar="NAME", help="Print a new one-time link for a user who cannot get in.")
@reporting_errors
def portal(
    home: str | None,
    host: str,
    port: int,
    tls_cert: str | None,
    tls_key: str | None,
    behind_proxy: str | None,
    link_for: str | None,
) -> None:
    """Serve the pages for marketers and merchants over what is published, also during a run."""
    import uvicorn

    from o2o_mining.portal import Access, make_app

    refuse_open_door(host, tls_cert=tls_cert, tls_key=tls_key, behind_proxy=behind_proxy)
    path = home_path(home)
    access = Access(path, secure=bool(tls_cert or behind_proxy))
    reached = "localhost" if host in _EVERYWHERE else f"[{host}]" if ":" in host else host
    address = f"{'https' if tls_cert else 'http'}://{reached}:{port}"
    click.echo(f"The portal of {path} is at {address}/  (stop it with Ctrl-C)")
    for name, secret in new_links(access, link_for):
        click.echo(f"One-time link for {name}, good for two days: {address}/welcome?token={secret}")
    uvicorn.run(
        make_app(path, access),
        host=host,
        port=port,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        proxy_headers=bool(behind_proxy),
        forwarded_allow_ips=behind_proxy,
        timeout_keep_alive=30,  # readers think for some seconds between two clicks
        server_header=False,
        access_log=False,  # addresses hold one-time links; who did what stands in the audit log
        log_level="warning",
    )


def refuse_open_door(host: str, *, tls_cert: str | None, tls_key: str | None, behind_proxy: str | None) -> None:
    """Refuse to send passwords over a network as they are.

    Raises
    ------
    UsageError
        If another address than that of this machine is to be listened on without TLS or a proxy, or half of a pair
        of certificate and key is given.
    """
    if bool(tls_cert) != bool(tls_key):
        raise UsageError("TLS takes a certificate and its key", next_step="give --tls-cert and --tls-key")
    if not (_is_loopback(host) or tls_cert or behind_proxy):
        raise UsageError(
            f"{host} can be reached by other machines, and passwords would go there unencrypted",
            next_step="give --tls-cert and --tls-key, or --behind-proxy ADDRESS of a proxy that speaks TLS",
        )


def new_links(access: Access, asked: str | None) -> list[tuple[str, str]]:
    """Return one-time links by user: for whom one is asked, and for the first administrator until there is a password.

    Raises
    ------
    UsageError
        If there is no such user.
    """
    users = {user.name: user for user in access.users.all()}
    if not users:
        users[FIRST_USER] = access.users.add(FIRST_USER, "administrator")
    if asked is not None and asked not in users:
        raise UsageError(f"there is no user '{asked}'", next_step=f"use one of {', '.join(users)}")
    wanted = [asked] if asked else []
    if not access.users.anybody_entered() and not wanted:
        wanted = [FIRST_USER] if FIRST_USER in users else []
    return [(name, access.users.new_link(users[name].id)) for name in wanted]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
