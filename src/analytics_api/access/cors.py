"""CORS: pages of any origin may send events unless the project names its own; only pages it names may read, with a key."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics_api.access.caller import Caller
from analytics_api.errors import Forbidden, Unprocessable

REQUEST_HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Authorization",
    "X-API-Key",
    "Idempotency-Key",
    "X-Request-ID",
    "X-Retry-Count",
)
RESPONSE_HEADERS = ("Retry-After", "X-Request-ID")
PREFLIGHT_SECONDS = 7200
"""How long a browser may remember a preflight; Chromium caps it at two hours."""


class IntakeCors:
    """Lets pages of any origin POST to `paths`, without cookies: keys are sent in a header or in the body."""

    def __init__(self, app: ASGIApp, *, paths: Collection[str]) -> None:
        self.app = app
        self._paths = frozenset(paths)
        self._open = CORSMiddleware(
            app,
            allow_origins=("*",),
            allow_methods=("POST",),
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
            max_age=PREFLIGHT_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        is_intake = (
            scope["type"] == "http"
            and scope["path"] in self._paths
            # What is read at the same path is not for every page.
            and scope["method"] in ("POST", "OPTIONS")
        )
        await (self._open if is_intake else self.app)(scope, receive, send)


_ORIGIN = re.compile(
    r"https?://(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[1-9][0-9]{0,4})?|https?://\[[0-9a-f:.]+\](?::[1-9][0-9]{0,4})?"
)
MOST_ORIGINS = 100


def checked_origins(given: Iterable[str]) -> list[str]:
    """Origins in the form in which browsers send them. Raises Unprocessable."""
    origins = sorted({origin.strip().lower().rstrip("/") for origin in given})
    for origin in origins:
        if not _ORIGIN.fullmatch(origin) or len(origin) > 260:
            raise Unprocessable(
                f"origins: {origin[:100]!r} is none; write scheme, host and port if any, such as https://shop.example."
            )
    return origins


def require_origin(caller: Caller, origin: str | None) -> None:
    """Refuse events of pages that a project does not know. Raises Forbidden. What is no page names no origin."""
    allowed = caller.project.allowed_origins
    if origin is not None and allowed and origin not in allowed:
        raise Forbidden(
            "Origin: pages of this address may not send events here; an owner of the project can allow it "
            "(PUT /project/origins)."
        )


class ReadCors:
    """Lets pages that a project names read its answers, with a key and never with cookies.

    `allows`: whether any project names an origin, for preflights, which say nothing of a key.
    """

    def __init__(self, app: ASGIApp, *, allows: Callable[[str], Awaitable[bool]]) -> None:
        self.app = app
        self._allows = allows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is None:
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and await self._is_preflight(scope, origin):
            headers = {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": "GET",
                "Access-Control-Allow-Headers": "Authorization, X-API-Key, X-Request-ID",
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
                "Vary": "Origin",
            }
            await Response(status_code=204, headers=headers)(scope, receive, send)
        else:
            await self.app(scope, receive, _for_page(scope, origin, send))

    async def _is_preflight(self, scope: Scope, origin: str) -> bool:
        asked = Headers(scope=scope).get("access-control-request-method")
        return asked == "GET" and await self._allows(origin)


def _for_page(scope: Scope, origin: str, send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            caller: Caller | None = scope.get("state", {}).get("caller")
            if caller is not None and caller.key_id is not None and origin in caller.project.allowed_origins:
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = ", ".join(RESPONSE_HEADERS)
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
                headers.add_vary_header("Origin")
        await send(message)

    return sent
