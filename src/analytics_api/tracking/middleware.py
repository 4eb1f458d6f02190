"""Notes every request of an application as an ApiRequest, without slowing or breaking one.

Pure ASGI: bodies are streamed through, background tasks run after the note, exceptions go on, context variables are
those of the application.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics_api.domain.api_request import ApiRequest
from analytics_api.domain.project import Project
from analytics_api.telemetry import Occasionally
from analytics_api.tracking.templates import RouteTemplates

logger = logging.getLogger(__name__)

SKIPPED = (
    "/health",
    "/metrics",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/static",
    "/assets",
    "/favicon.ico",
    "/robots.txt",
)
"""Paths that are not noted, with all that lies below them."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "QUERY", "TRACE", "CONNECT"})
OTHER_METHOD = "(other)"
CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that hung up before it was answered."""

LOOK_AFTER_SECONDS = 0.01
"""Whether the client is still there is looked up only for requests that took longer: the look costs 25 to 45 µs (measured)."""

Sink = Callable[[ApiRequest], None]
"""Takes a note. Called on the event loop after the response: it must not block, and may raise."""


class ApiTrackingMiddleware:
    """Hands an ApiRequest to `sink` for every HTTP request, except OPTIONS, static files and paths below `skip`.

    The caller is `request.state.caller` (with a `name`, and a `project` if it has one), set by the application.
    """

    def __init__(self, app: ASGIApp, sink: Sink, *, skip: Sequence[str] = SKIPPED) -> None:
        self.app = app
        self._sink = sink
        self._skip = frozenset(path.rstrip("/") for path in skip)
        self._skip_below = tuple(f"{path}/" for path in self._skip)
        self._templates: RouteTemplates | None = None
        self._may_log = Occasionally()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS" or self._skipped(scope):
            await self.app(scope, receive, send)
            return
        # A mounted application puts itself in here later.
        application = scope.get("app")
        exchange = _Exchange(scope, receive, send, lambda done: self._note(done, scope, application))
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            exchange.finish()

    def _skipped(self, scope: Scope) -> bool:
        path = _route_path(scope)
        return path in self._skip or path.startswith(self._skip_below)

    def _note(self, exchange: _Exchange, scope: Scope, application: Any) -> None:
        try:
            endpoint = scope.get("endpoint")
            if isinstance(endpoint, StaticFiles):
                return
            if self._templates is None:
                self._templates = RouteTemplates(getattr(application or scope.get("app"), "routes", ()))
            caller = scope.get("state", {}).get("caller")
            project = getattr(caller, "project", None)
            request = ApiRequest(
                at=exchange.at,
                method=scope["method"] if scope["method"] in METHODS else OTHER_METHOD,
                route=self._templates.find(endpoint, exchange.path),
                status=exchange.status,
                seconds=exchange.seconds,
                caller=getattr(caller, "name", None),
                project=project if isinstance(project, Project) else None,
                streamed=exchange.streamed,
            )
            self._sink(request)
        except Exception:
            if self._may_log():
                logger.exception("a request could not be tracked (said at most once a minute)")


class _Exchange:
    """Watches one request and its response go by; calls `noted` once, when the response is complete or will never be."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, noted: Callable[[_Exchange], None]
    ) -> None:
        self._receive = receive
        self._send = send
        self._noted: Callable[[_Exchange], None] | None = noted
        self._began = time.perf_counter()
        self._held: list[Message] = []
        self._receiving = 0
        self._body_ended, self._may_look = _body_of(scope)
        self._gone = False
        self._started = False
        self.at = datetime.now(UTC)
        self.path = _route_path(scope)
        self.status = 500
        self.seconds = 0.0
        self.streamed = False

    async def receive(self) -> Message:
        """The next message of the client, for the application."""
        if self._held:
            return self._held.pop(0)
        self._receiving += 1
        try:
            message = await self._receive()
        finally:
            self._receiving -= 1
        self._heard(message)
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the application on to the client."""
        if message["type"] == "http.response.start" and not self._started:
            if self._may_look and time.perf_counter() - self._began >= LOOK_AFTER_SECONDS:
                await self._look()
            self._started = True
            self.status = CLIENT_CLOSED_REQUEST if self._gone else message["status"]
            self.streamed = _is_event_stream(message)
        try:
            await self._send(message)
        except OSError:
            self._gone = True
            raise
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.finish()

    def fail(self, error: BaseException) -> None:
        """An exception has left the application."""
        if isinstance(error, ClientDisconnect):
            self._gone = True
        if self._gone and self._started:
            return  # It broke off because the client did; what was sent stands.
        self.status = CLIENT_CLOSED_REQUEST if self._gone else 500

    def finish(self) -> None:
        """Nothing more will be sent; the first call counts."""
        noted, self._noted = self._noted, None
        if noted is None:
            return
        self.seconds = time.perf_counter() - self._began
        if not self._started and self._gone:
            self.status = CLIENT_CLOSED_REQUEST
        noted(self)

    def _heard(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._gone = True
        elif not message.get("more_body", False):
            self._body_ended = True

    async def _look(self) -> None:
        """See whether the client has hung up while the application did not listen.

        A server says so only to those who ask for the next message. The question is asked once the body has been read
        (asking earlier could make the server fetch a body that nobody wants) and taken back at once; a message that
        comes in spite of that is held for the application.
        """
        while self._body_ended and not self._gone and not self._receiving:
            question = asyncio.ensure_future(self._receive())
            try:
                await asyncio.sleep(0)
            finally:
                question.cancel()
            await asyncio.wait((question,))
            if question.cancelled() or question.exception() is not None:
                return
            self._held.append(question.result())
            self._heard(question.result())


def _body_of(scope: Scope) -> tuple[bool, bool]:
    """Whether a request has no body, and whether its client may be looked after."""
    names = {name for name, _ in scope["headers"]}
    has_body = b"transfer-encoding" in names or b"content-length" in names
    # Looking would tell a client that waits for "100 Continue" to send its body.
    return not has_body, b"expect" not in names


def _is_event_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )


def _route_path(scope: Scope) -> str:
    """The path below the application's root, read before mounts move the root."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path
