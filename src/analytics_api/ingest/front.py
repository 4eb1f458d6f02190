"""The hot route: POST /events answered as bare ASGI, before the router and all other middleware.

Their machinery costs more than an event does (measured: FastAPI's about 120 µs a request, Starlette's 50, bare ASGI 32;
see docs/decisions/0008). What they do for other routes is done here for this one: the request's id, CORS headers, problem
documents, counting of the request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import orjson
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics_api.access.authenticator import Authenticator, require
from analytics_api.access.caller import Caller, Right
from analytics_api.access.cors import RESPONSE_HEADERS
from analytics_api.domain.api_request import ApiRequest
from analytics_api.errors import BadRequest, PayloadTooLarge, RequestTimeout, Unprocessable
from analytics_api.ingest.answers import answer
from analytics_api.ingest.draft import Status
from analytics_api.ingest.payloads import parse_body, unpack
from analytics_api.ingest.service import Intake
from analytics_api.problems import given_or_new_id, response_to
from analytics_api.telemetry import request_id

logger = logging.getLogger(__name__)

LONGEST_IDEMPOTENCY_KEY = 255
BODY_SECONDS = 30.0
"""For all of a body. Slower clients are either gone or an attack; SDKs send again."""

_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", ", ".join(RESPONSE_HEADERS).encode()),
]

Headers = dict[bytes, bytes]


class Disconnected(Exception):
    """The client hung up before its request was complete; there is nobody to answer."""


class IntakeFront:
    """Answers POSTs to `paths` and passes everything else on.

    `note` is told of each request when it is over, as the tracking middleware tells its sink.
    """

    def __init__(self, app: ASGIApp, *, paths: tuple[str, ...], note: Callable[[ApiRequest], None]) -> None:
        self.app = app
        self._paths = frozenset(paths)
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._paths:
            await _Exchange(scope, receive, send).serve(self._note)
        else:
            await self.app(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers: Headers = dict(scope["headers"])
        self._caller: Caller | None = None
        self._status = 499

    async def serve(self, note: Callable[[ApiRequest], None]) -> None:
        began = time.perf_counter()
        current = given_or_new_id(self._headers.get(b"x-request-id", b""))
        token = request_id.set(current)
        try:
            await self._respond(current.encode())
        except Disconnected:
            logger.debug("a client hung up before its request was complete")
        finally:
            request_id.reset(token)
            note(self._noted(time.perf_counter() - began))

    async def _respond(self, current: bytes) -> None:
        try:
            body = await self._take()
        except Disconnected:
            raise
        except Exception as error:
            response = response_to(error)
            await self._reply(response.status_code, response.raw_headers, bytes(response.body), current)
        else:
            head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            await self._reply(202, head, body, current)

    async def _reply(self, status: int, head: list[tuple[bytes, bytes]], body: bytes, current: bytes) -> None:
        self._status = status
        headers = [*head, (b"x-request-id", current)]
        if b"origin" in self._headers:
            headers += _CORS
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _take(self) -> bytes:
        """Take the events in; the body of the 202."""
        state = self._scope["app"].state
        intake: Intake = state.intake
        authenticator: Authenticator = state.authenticator
        connection = HTTPConnection(self._scope)
        query = self._scope["query_string"]
        project = parse_qs(query.decode("latin-1")).get("project", [None])[0] if query else None
        if b"authorization" in self._headers or b"x-api-key" in self._headers:
            # A wrong key is told so before its body is read.
            self._caller = await authenticator.caller(connection, project=project)
            require(self._caller, Right.SEND)
        limit = intake.limits.batch_bytes
        plain = unpack(await self._read(limit), self._header(b"content-encoding"), limit)
        body = parse_body(plain, self._header(b"content-type"))
        if self._caller is None:
            self._caller = await authenticator.caller(connection, key=body.key, project=project)
            require(self._caller, Right.SEND)
        client = self._scope.get("client")
        results = await intake.take(
            body,
            self._caller,
            idempotency_key=self._idempotency_key(),
            ip=client[0] if client else None,
            user_agent=self._header(b"user-agent"),
        )
        if body.single and results[0].status is Status.REJECTED:
            raise Unprocessable(f"The event was not taken: {results[0].reason}.")
        return orjson.dumps(answer(results))

    async def _read(self, limit: int) -> bytes:
        declared = self._headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            raise PayloadTooLarge(
                f"The body has {int(declared)} bytes; the limit is {limit}: send smaller batches."
            )
        first = await self._within(self._receive(), BODY_SECONDS)
        if not first.get("more_body", False):
            return self._part(first, limit)
        parts = [self._part(first, limit)]
        size = len(parts[0])
        until = time.monotonic() + BODY_SECONDS
        while True:
            message = await self._within(self._receive(), until - time.monotonic())
            parts.append(self._part(message, limit - size))
            size += len(parts[-1])
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _within(self, receiving: Awaitable[Message], seconds: float) -> Message:
        try:
            async with asyncio.timeout(seconds):
                return await receiving
        except TimeoutError:
            raise RequestTimeout(
                f"The body did not arrive within {BODY_SECONDS:.0f} s; send it again, or in smaller batches."
            ) from None

    def _part(self, message: Message, room: int) -> bytes:
        if message["type"] == "http.disconnect":
            raise Disconnected
        part: bytes = message.get("body", b"")
        if len(part) > room:
            raise PayloadTooLarge("The body is larger than it may be: send smaller batches.")
        return part

    def _header(self, name: bytes) -> str | None:
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def _idempotency_key(self) -> str | None:
        key = self._header(b"idempotency-key")
        if key is not None and not 0 < len(key) <= LONGEST_IDEMPOTENCY_KEY:
            raise BadRequest(f"Idempotency-Key must have 1 to {LONGEST_IDEMPOTENCY_KEY} characters.")
        return key

    def _noted(self, seconds: float) -> ApiRequest:
        return ApiRequest(
            at=datetime.now(UTC),
            method="POST",
            route=self._scope["path"],
            status=self._status,
            seconds=seconds,
            caller=self._caller.name if self._caller is not None else None,
            project=self._caller.project if self._caller is not None else None,
            streamed=False,
        )
