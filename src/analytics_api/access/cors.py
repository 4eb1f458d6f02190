"""CORS for the calls that pages of any origin make: intake. All other paths stay closed to foreign pages."""

from __future__ import annotations

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

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
        is_intake = scope["type"] == "http" and scope["path"] in self._paths
        await (self._open if is_intake else self.app)(scope, receive, send)
