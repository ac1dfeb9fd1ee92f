"""Puts the portal together: the gate before the pages, and what is said when something goes wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from o2o_mining.core.errors import HomeError, O2OError
from o2o_mining.portal.access.gate import Gate
from o2o_mining.portal.access.oidc import Oidc, read_oidc
from o2o_mining.portal.access.rights import API
from o2o_mining.portal.api import router as api_router
from o2o_mining.portal.downloads import clear_downloads
from o2o_mining.portal.offer_book import OfferBook
from o2o_mining.portal.pages import ROUTERS, look_ahead, prepare
from o2o_mining.portal.portal import Portal
from o2o_mining.portal.snapshot import Snapshots

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from o2o_mining.portal.access import Access

# The text of each status; any other is said as a failure of ours.
_SAID = {404: "not_found", 405: "not_found", 403: "forbidden", 422: "not_found", 429: "too_often"}

# How often is looked for a new snapshot, so that it is ready before somebody asks for a page.
_LOOK_SECONDS = 2.0


def make_app(home: Path, access: Access, oidc: Oidc | None = None) -> ASGIApp:
    """Return the portal of a home as an ASGI application.

    Parameters
    ----------
    home
        Folder of the home; it need not be published yet.
    access
        Who may enter.
    oidc
        Login by an identity provider; as ``portal/oidc.toml`` of the home says by default.

    Returns
    -------
    ASGI application
        To be served by uvicorn, or called by a test client.

    Examples
    --------
    >>> import tempfile
    >>> from o2o_mining.portal.access import Access
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     callable(make_app(Path(folder), Access(Path(folder))))
    True
    """
    portal = Portal(home, access, Snapshots(home, prepare), OfferBook(home), oidc or _configured(home, access))
    clear_downloads(home)
    app = FastAPI(
        title="O2O Mining", version="1", openapi_url=f"{API}v1/openapi.json", docs_url=None, redoc_url=None,
        redirect_slashes=False, lifespan=_getting_ready,
    )  # fmt: skip
    app.state.portal = portal
    for router in (*ROUTERS, api_router):
        app.include_router(router)
    app.add_exception_handler(HTTPException, _on_status)
    app.add_exception_handler(RequestValidationError, _on_wrong_request)
    app.add_exception_handler(HomeError, _on_nothing_published)
    app.add_exception_handler(O2OError, _on_refused)
    app.add_exception_handler(Exception, _on_failure)

    def refusal(request: Request, status: int, text: str) -> Response:
        request.scope["app"] = app
        return _said(request, status, text)

    return Gate(app, access=access, refusal=refusal)


def _configured(home: Path, access: Access) -> Oidc | None:
    settings = read_oidc(home)
    return Oidc(settings, access) if settings else None


@asynccontextmanager
async def _getting_ready(app: FastAPI) -> AsyncIterator[None]:
    """Read beforehand, of this snapshot and of every later one, what the first visitor would have to wait for."""
    over = threading.Event()
    threading.Thread(target=keep_ready, args=(app.state.portal, over), daemon=True).start()
    yield
    over.set()


def keep_ready(portal: Portal, over: threading.Event) -> None:
    """Read ahead of every snapshot that is published, until it is over.

    Parameters
    ----------
    portal
        The portal.
    over
        Is set in the end.
    """
    ready = None
    while True:
        with suppress(HomeError):  # nothing is published yet; whoever comes is told so
            snapshot = portal.snapshot
            if snapshot is not ready:
                ready = snapshot
                _read_ahead(portal)
        if over.wait(_LOOK_SECONDS):
            return


def _read_ahead(portal: Portal) -> None:
    try:
        if portal.access.tokens.is_any_for("offers"):
            portal.offer_book.answer("")
        look_ahead(portal)
    except O2OError as error:  # whoever asks for it is told
        logging.getLogger(__name__).info("%s", error)


def _said(request: Request, status: int, text: str, detail: str = "") -> Response:
    if request.scope["path"].startswith(API):
        return JSONResponse({"error": text, **({"detail": detail} if detail else {})}, status)
    portal: Portal = request.app.state.portal
    return portal.page(request, "error.html", status=status, text=f"error.{text}", detail=detail)


def _on_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return _said(request, error.status_code, _SAID.get(error.status_code, "failed"))


def _on_wrong_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    return _said(request, 422, _SAID[422])


def _on_nothing_published(request: Request, error: Exception) -> Response:
    assert isinstance(error, HomeError)  # noqa: S101 - registered for it
    return _said(request, 503, "nothing_published", error.next_step)


def _on_failure(request: Request, _error: Exception) -> Response:
    return _said(request, 500, "failed")


def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, O2OError)  # noqa: S101 - registered for it
    return _said(request, 400, "refused", str(error))
