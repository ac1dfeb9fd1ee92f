"""What every page is made with: the home, who may enter, what is published, and how a page is drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from o2o_mining.core.languages import LANGUAGES
from o2o_mining.ingest.sources import home_settings
from o2o_mining.portal.access.gate import FORM_FIELD
from o2o_mining.portal.access.rights import right_of
from o2o_mining.portal.offer_book import OfferBook
from o2o_mining.portal.snapshot import Snapshot, Snapshots
from o2o_mining.portal.speech import LANGUAGE_NAMES, Speech, wanted_language
from o2o_mining.portal.static import chart_styles, static_address
from o2o_mining.segmentation import namer, read_rules
from o2o_mining.segmentation.rules import RULES_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from o2o_mining.core.settings import Settings
    from o2o_mining.portal.access import Access
    from o2o_mining.portal.access.oidc import Oidc
    from o2o_mining.portal.access.viewer import Viewer

LANGUAGE_COOKIE = "o2o-language"
THEME_COOKIE = "o2o-theme"
THEMES = ("auto", "light", "dark")

# What stands in the navigation, if the table of rights has it for the viewer.
_NAVIGATION = {
    "/": "layout.overview",
    "/segments": "layout.segments",
    "/offers": "layout.offers",
    "/campaigns": "layout.campaigns",
    "/merchants": "layout.merchants",
    "/quality": "layout.quality",
    "/admin/users": "layout.users",
    "/admin/audit": "layout.audit",
}


@dataclass(frozen=True)
class Portal:
    """The portal of one home.

    Attributes
    ----------
    home
        Folder of the home.
    access
        Who may enter.
    snapshots, offer_book
        What is published; the offers of every customer.
    oidc
        Login by an identity provider, where one is configured.
    """

    home: Path
    access: Access
    snapshots: Snapshots
    offer_book: OfferBook
    oidc: Oidc | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What is published now."""
        return self.snapshots.current()

    @property
    def settings(self) -> Settings:
        """The home's settings as they are now: who takes consent for given must not wait for a restart."""
        return home_settings(self.home)

    @property
    def segment_name(self) -> Callable[..., str]:
        """From the code of a segment and a language to its name."""
        return namer(read_rules(self.home / RULES_FOLDER))

    @cached_property
    def _templates(self) -> Environment:
        made = Environment(
            loader=PackageLoader("o2o_mining.portal"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.globals |= {
            "static": static_address,
            "chart_styles": chart_styles,
            "languages": LANGUAGE_NAMES,
            "themes": THEMES,
        }
        made.filters["script_json"] = script_json
        return made

    def page(self, request: Request, template: str, *, status: int = 200, **content: Any) -> HTMLResponse:
        """Draw a page for the viewer of a request.

        Parameters
        ----------
        request
            The request.
        template
            Name of the template.
        status
            Of the answer.
        content
            What the template shows.
        """
        speech, viewer = self.speech(request), viewer_of_request(request)
        drawn = self._templates.get_template(template).render(
            say=speech,
            t=speech.t,
            viewer=viewer,
            form_token=Markup('<input type="hidden" name="{}" value="{}">').format(FORM_FIELD, viewer.form_token),
            theme=_theme(request),
            here=request.scope["path"],
            back=_way_back(request),
            navigation=_navigation(viewer),
            published=self.published(),
            **content,
        )
        return HTMLResponse(drawn, status)

    def speech(self, request: Request) -> Speech:
        """Return how the viewer is spoken to: as set for the user, else the browser's cookie, else as it asks."""
        user, settings = viewer_of_request(request).user, self.settings
        asked = request.cookies.get(LANGUAGE_COOKIE, "")
        known = next((one for one in (user.language if user else "", asked) if one in LANGUAGES), "")
        language = known or wanted_language(request.headers.get("accept-language", ""), settings.language)
        return Speech(language, settings.currency, settings.timezone)

    def published(self) -> Snapshot | None:
        """Return what is published, if anything is."""
        return self.snapshot if self.snapshots.is_published else None


def portal_of(request: Request) -> Portal:
    """Return the portal that a request is made to."""
    portal: Portal = request.app.state.portal
    return portal


def viewer_of_request(request: Request) -> Viewer:
    """Return who makes a request; the gate found out."""
    viewer: Viewer = request.state.viewer
    return viewer


def script_json(content: Any) -> Markup:
    r"""Return data as JSON that may stand within a script element.

    Examples
    --------
    >>> script_json({"a": "</script>"})
    Markup('{"a":"\\u003c/script>"}')
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=float)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))  # noqa: S704 - escaped


def _way_back(request: Request) -> str:
    """Return the address at which the page is shown again: of a form's answer its own, else that of the form."""
    own = quote(request.scope["path"]) + (f"?{request.url.query}" if request.url.query else "")
    if request.method in ("GET", "HEAD"):
        return own
    form = urlsplit(request.headers.get("referer", ""))
    before = form.path + (f"?{form.query}" if form.query else "") if form.netloc == request.url.netloc else ""
    return next((one for one in (before, own) if _can_be_opened(one)), "/")


def _can_be_opened(address: str) -> bool:
    found = right_of(unquote(urlsplit(address).path))
    return found is not None and "GET" in found[0].roles


def _theme(request: Request) -> str:
    asked = request.cookies.get(THEME_COOKIE, "")
    return asked if asked in THEMES else THEMES[0]


def _navigation(viewer: Viewer) -> list[tuple[str, str]]:
    return [(path, text) for path, text in _NAVIGATION.items() if viewer.user and viewer.may_open(path)]
