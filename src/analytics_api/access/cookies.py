"""The cookie of a login, and which requests may use it: none that a page of another origin has made (CSRF).

docs/security.md says why both a look at the headers and a token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from analytics_api.errors import Forbidden

TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 (its name)
COOKIE = "analytics_session"
HOST_COOKIE = f"__Host-{COOKIE}"
"""Its name over https: browsers then take it from this very host only, for all paths and with Secure (RFC 6265bis)."""
SHARE_COOKIE = "analytics_share"
"""Of a browser that has opened a share link; `__Host-` stands before it over https, too."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_https(request: HTTPConnection) -> bool:
    """Whether the client sees https. A client that pretends so harms only itself: it gets a cookie it cannot use."""
    return (
        request.scope.get("scheme") == "https"
        or request.headers.get("x-forwarded-proto", "").strip().lower() == "https"
        or request.headers.get("origin", "").startswith("https://")
    )


def session_token(request: HTTPConnection, cookie: str = COOKIE) -> str | None:
    """The token in the cookie of a login (or of a share link), if the request was not made by another site's page."""
    if _comes_from_elsewhere(request):
        return None
    hosts = f"__Host-{cookie}"
    names = (hosts,) if is_https(request) else (hosts, cookie)
    found = next((request.cookies[name] for name in names if name in request.cookies), "")
    return found if _TOKEN.fullmatch(found) else None


def _comes_from_elsewhere(request: HTTPConnection) -> bool:
    """Whether a browser says that another origin's page made the request, or a link on one was followed."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and not _is_own(origin, request)


def _is_own(origin: str, request: HTTPConnection) -> bool:
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return False
    return netloc != "" and netloc.lower() == request.headers.get("host", "").lower()


def check_origin(request: HTTPConnection) -> None:
    """Refuse a request that another origin's page has made. Raises Forbidden.

    Browsers say so in Sec-Fetch-Site, or on plain http in Origin; what sends neither is no browser's page.
    """
    if _comes_from_elsewhere(request):
        raise Forbidden("A page of another origin may not do that: use the dashboard's own address.")


def csrf_token(token: str) -> str:
    """What a page of ours sends in X-CSRF-Token: made from the cookie's token, which no page can read."""
    return hmac.digest(token.encode(), b"csrf", hashlib.sha256).hex()


def check_csrf(request: HTTPConnection, token: str) -> None:
    """Refuse a write by cookie without its token. Raises Forbidden."""
    if request.scope.get("method") in _SAFE:
        return
    given = request.headers.get(TOKEN_HEADER, "")
    if not hmac.compare_digest(given.encode("latin-1"), csrf_token(token).encode()):
        raise Forbidden(
            f"{TOKEN_HEADER} is missing or wrong: send the csrf_token that GET /auth/session gives."
        )


def set_cookie(
    request: HTTPConnection, response: Response, token: str, seconds: int, cookie: str = COOKIE
) -> None:
    """Give the browser a session's token."""
    secure = is_https(request)
    response.set_cookie(
        f"__Host-{cookie}" if secure else cookie,
        token,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def clear_cookies(response: Response) -> None:
    """Take it back, under either name."""
    for name, secure in ((HOST_COOKIE, True), (COOKIE, False)):
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")
