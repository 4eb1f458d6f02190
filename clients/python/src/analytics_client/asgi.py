"""Notes the requests of any ASGI application (FastAPI, Starlette and others) without slowing or breaking one.

Pure ASGI: bodies are streamed through, background tasks run after the note, exceptions go on, context variables are
those of the application.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from analytics_client.requests import (
    CLIENT_CLOSED_REQUEST,
    EXCLUDED,
    MOST_DETAIL_BYTES,
    UNMATCHED,
    UNPROCESSABLE,
    RequestNotes,
    Tracker,
    clean_template,
    logger,
    validation_errors,
)

LOOK_AFTER_SECONDS = 0.01
"""Whether the client is still there is looked up only for requests that took longer: the look costs some 30 us."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Describe = Callable[[Scope], Mapping[str, Any]]


class AnalyticsMiddleware:
    """Sends an event `api_request` for every HTTP request: method, route template, status, duration.

    client: an AnalyticsClient, an AsyncAnalyticsClient, or anything in this process with their `track`.
    describe: called with the scope after the answer; of what it returns `user_id`, `anonymous_id` and `session_id` are the
        event's, all else (`caller`, say) goes into its data.
    exclude: paths that are not noted, with all below them. sample: share of the requests that is noted.
    aggregate_seconds: one event `api_requests` for each route and status in that time, with their number and durations,
        instead of one for each request.
    """

    def __init__(
        self,
        app: App,
        client: Tracker,
        *,
        describe: Describe | None = None,
        exclude: Sequence[str] = EXCLUDED,
        sample: float = 1.0,
        aggregate_seconds: float | None = None,
    ) -> None:
        self.app = app
        self._notes = RequestNotes(client, exclude, sample, aggregate_seconds)
        self._describe = describe
        self._templates: dict[str, tuple[str, tuple[str, ...]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, self._until_shutdown(receive), send)
            return
        root: str = scope.get("root_path", "")
        path: str = scope["path"]
        path = path[len(root) :] if root and path.startswith(root + "/") else path
        if not self._notes.wants(scope["method"], path):
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, lambda done: self._note(scope, root, path, done))
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            exchange.finish()

    def _until_shutdown(self, receive: Receive) -> Receive:
        """Sums are handed over before the application closes its client."""

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self._notes.flush()
            return message

        return heard

    def _note(self, scope: Scope, root: str, path: str, exchange: _Exchange) -> None:
        try:
            extra: dict[str, Any] = {} if exchange.exception is None else {"exception": exchange.exception}
            if exchange.detail:
                extra["errors"] = validation_errors(bytes(exchange.detail))
            said = self._describe(scope) if self._describe is not None else None
            self._notes.note(
                scope["method"],
                self._route(scope, root, path),
                exchange.status,
                exchange.seconds,
                extra,
                said,
            )
        except Exception:
            logger.debug("a request could not be noted", exc_info=True)

    def _route(self, scope: Scope, root: str, path: str) -> str:
        """The template of the route that answered, with the prefixes under which its router was mounted or included.

        `root` and `path`: the application's own root, and the path below it, from before mounts moved the root.
        """
        own = getattr(scope.get("route"), "path", None)
        values = scope.get("path_params") or {}
        if isinstance(own, str) and hasattr(scope["route"], "methods"):
            if not values:
                return path
            found = self._templates.get(own)
            if found is None:
                found = self._templates[own] = clean_template(own)
            template, names = found
            segments = template.count("/") + sum(str(values.get(name, "")).count("/") for name in names)
            parts = path.split("/")
            parts = parts[: max(1, len(parts) - segments)]
        elif len(scope.get("root_path", "")) > len(root):  # A mounted application that names no routes.
            template, names, parts = "/{path}", ("path",), scope["root_path"][len(root) :].split("/")
        else:
            return UNMATCHED
        outer = {str(value): name for name, value in values.items() if name not in names}
        return "/".join(f"{{{outer[part]}}}" if part in outer else part for part in parts) + template


class _Exchange:
    """Watches one request and its response go by; calls `noted` once, when the response is complete or will never be."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, noted: Callable[[_Exchange], None]
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._noted: Callable[[_Exchange], None] | None = noted
        self._began = time.perf_counter()
        self._held: list[Message] = []
        self._listening = self._body_read = self._gone = self._started = False
        self.status = 500
        self.seconds = 0.0
        self.exception: str | None = None
        self.detail: bytearray | None = None

    async def receive(self) -> Message:
        """The next message of the client, for the application."""
        if self._held:
            return self._held.pop()
        self._listening = True
        try:
            message = await self._receive()
        finally:
            self._listening = False
        self._hear(message)
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the application on to the client."""
        kind = message["type"]
        if kind == "http.response.start" and not self._started:
            if time.perf_counter() - self._began >= LOOK_AFTER_SECONDS and not self._gone:
                await self._look()
            self._started = True
            self.status = CLIENT_CLOSED_REQUEST if self._gone else message["status"]
            if self.status == UNPROCESSABLE:
                self.detail = bytearray()
        try:
            await self._send(message)
        except OSError:
            self._gone = True
            raise
        if kind == "http.response.body":
            if self.detail is not None and len(self.detail) < MOST_DETAIL_BYTES:
                self.detail += message.get("body", b"")
            # After a 500 the exception is still to come.
            if not message.get("more_body", False) and self.status != 500:
                self.finish()

    def _hear(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._gone = True
        elif not message.get("more_body", False):
            self._body_read = True

    async def _look(self) -> None:
        """See whether the client has hung up meanwhile.

        A server says so only to those who ask for the next message. That is safe once the body has been read; the question
        is taken back at once, and a message that comes in spite of that is held for the application.
        """
        names = {name for name, _ in self._scope["headers"]}
        has_no_body = names.isdisjoint((b"content-length", b"transfer-encoding", b"expect"))
        if self._listening or not (self._body_read or has_no_body):
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # Another kind of loop.
            return
        for _ in range(2):  # The end of an empty body comes first.
            question = asyncio.ensure_future(self._receive())
            try:
                await asyncio.sleep(0)
            finally:
                question.cancel()
            await asyncio.wait((question,))
            if question.cancelled() or question.exception() is not None:
                return
            self._held.insert(0, question.result())
            self._hear(question.result())
            if self._gone:
                return

    def fail(self, error: BaseException) -> None:
        """An exception has left the application."""
        if type(error).__name__ == "ClientDisconnect":  # Starlette's.
            self._gone = True
        if self._gone and self._started:
            return  # It broke off because the client did; what was sent stands.
        self.status = CLIENT_CLOSED_REQUEST if self._gone else 500
        if not self._gone:
            self.exception = type(error).__name__

    def finish(self) -> None:
        """Nothing more will be sent; the first call counts."""
        noted, self._noted = self._noted, None
        if noted is None:
            return
        self.seconds = time.perf_counter() - self._began
        if not self._started and self._gone:
            self.status = CLIENT_CLOSED_REQUEST
        noted(self)
