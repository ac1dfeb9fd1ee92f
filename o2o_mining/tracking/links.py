"""Links that say where a click came from: UTM parameters and the tracking code."""

from __future__ import annotations

from urllib.parse import quote, unquote_plus, urlsplit

from o2o_mining.core.errors import UsageError

CODE_PARAMETER = "tracking_code"


def link(url: str, *, source: str, medium: str, campaign: str, content: str = "", code: str = "") -> str:
    """Return a link with UTM parameters and, where one is given, a tracking code.

    Parameters
    ----------
    url
        Where the link leads; its own query and fragment stay as they are, but for parameters that are set here.
    source, medium, campaign
        ``utm_source`` (who sends, such as ``line``), ``utm_medium`` (the channel, such as ``push``), ``utm_campaign``.
    content
        ``utm_content``: which of several links or pictures, such as the coupon.
    code
        The tracking code; parameter ``tracking_code``.

    Returns
    -------
    str
        The link; every value is quoted, so that none can change another parameter.

    Raises
    ------
    UsageError
        If the address is not one of the web, or a UTM parameter that must be there is empty.

    Examples
    --------
    >>> link("https://shop.example/menu?table=4#today", source="line", medium="push", campaign="spring & summer")
    'https://shop.example/menu?table=4&utm_source=line&utm_medium=push&utm_campaign=spring%20%26%20summer#today'
    """
    given = {
        "utm_source": source, "utm_medium": medium, "utm_campaign": campaign, "utm_content": content,
        CODE_PARAMETER: code,
    }  # fmt: skip
    if empty := [name for name in ("utm_source", "utm_medium", "utm_campaign") if not given[name]]:
        raise UsageError(f"{empty[0]} is empty", next_step="say source, medium and campaign of the link")
    if not _of_the_web(url):
        raise UsageError(f"{url!r} is no address of the web", next_step="give one such as https://shop.example/menu")
    address = urlsplit(url)
    kept = [pair for pair in address.query.split("&") if pair and unquote_plus(pair.split("=")[0]) not in given]
    ours = [f"{name}={quote(value, safe='')}" for name, value in given.items() if value]
    return address._replace(query="&".join([*kept, *ours])).geturl()


def _of_the_web(url: str) -> bool:
    """Say whether a browser opens the text as it stands; `urlsplit` would drop tabs and line ends in silence."""
    if not url.isprintable() or " " in url:
        return False
    try:
        address = urlsplit(url)
    except ValueError:
        return False
    return address.scheme in {"http", "https"} and bool(address.hostname)
