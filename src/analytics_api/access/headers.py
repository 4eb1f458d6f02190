"""Security headers of every answer: what a browser may do with it, and that is as little as possible.

A Content-Security-Policy never says unsafe-inline or unsafe-eval. docs/security.md names each header's purpose.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "Content-Security-Policy"
NOTHING = "default-src 'none'; frame-ancestors 'none'"
"""For data: if a browser ever shows it as a page, that page loads and runs nothing."""
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""For pages of ours, such as the dashboard's."""
HSTS = "max-age=31536000"

ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
DATA_LINES = b"".join(
    f"{name.lower()}: {value}\r\n".encode() for name, value in ((POLICY, NOTHING), *ALWAYS[:2])
)
"""For answers that pass no middleware (the intake's): what matters for JSON, ready to be sent."""
DATA_HEADERS = tuple(
    (name, value) for name, _, value in (line.partition(b": ") for line in DATA_LINES.split(b"\r\n") if line)
)


class SecurityHeaders:
    """Adds the headers that an answer does not have yet; HSTS only when the client came by https."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                _secure(MutableHeaders(scope=message), scope)
            await send(message)

        await self.app(scope, receive, secured)


def _secure(headers: MutableHeaders, scope: Scope) -> None:
    for name, value in ALWAYS:
        headers.setdefault(name, value)
    is_page = headers.get("content-type", "").startswith("text/html")
    headers.setdefault(POLICY, PAGE if is_page else NOTHING)
    if not is_page:
        headers.setdefault("Cache-Control", "no-store")
    if _is_https(scope):
        headers.setdefault("Strict-Transport-Security", HSTS)


def _is_https(scope: Scope) -> bool:
    """By the connection or by a proxy's word. Who makes it up gets a header that browsers ignore over http (RFC 6797, 8.1)."""
    if scope.get("scheme") == "https":
        return True
    return any(
        name == b"x-forwarded-proto" and value.strip().lower() == b"https" for name, value in scope["headers"]
    )
