"""The hot route: POST /events answered as bare ASGI, before the router and all other middleware, or before ASGI.

Their machinery costs more than an event does (measured: FastAPI's about 120 µs a request, Starlette's 50, bare ASGI 32;
see docs/decisions/0008). What they do for other routes is done here for this one: the request's id, CORS headers, problem
documents, counting of the request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qs

import orjson
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from analytics_api.access.authenticator import Authenticator, require
from analytics_api.access.caller import Caller, Right
from analytics_api.access.cors import RESPONSE_HEADERS, require_origin
from analytics_api.access.headers import DATA_HEADERS, DATA_LINES
from analytics_api.access.rate_limits import RateLimits
from analytics_api.domain.api_request import ApiRequest
from analytics_api.domain.privacy import Signal
from analytics_api.errors import (
    BadRequest,
    PayloadTooLarge,
    RequestTimeout,
    Unprocessable,
)
from analytics_api.ingest.answers import answer
from analytics_api.ingest.draft import Result, Status
from analytics_api.ingest.enrichment.addresses import TrustedProxies, client_address, edge_country
from analytics_api.ingest.payloads import Body, parse_body, unpack
from analytics_api.ingest.service import Circumstances, Intake
from analytics_api.problems import given_or_new_id, response_to
from analytics_api.telemetry import request_id

logger = logging.getLogger(__name__)

LONGEST_IDEMPOTENCY_KEY = 255
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", ", ".join(RESPONSE_HEADERS).encode()),
]

_CORS_LINES = b"".join(b"%b: %b\r\n" % line for line in _CORS)

Headers = dict[bytes, bytes]


Reply = Callable[[int, bytes, bytes], None]
"""Writes a whole answer: its status, lines of headers, its body (`http_connections.Reply`)."""
_SIGNALS = ((b"sec-gpc", Signal.GPC), (b"dnt", Signal.DNT))


class Disconnected(Exception):
    """The client hung up before its request was complete; there is nobody to answer."""


class IntakeFront:
    """Answers the POSTs that bring events.

    `note` is told of each request when it is over, as the tracking middleware tells its sink. A client has `body_seconds` for all
    of a body: slower ones are either gone or an attack; SDKs send again.
    """

    def __init__(
        self,
        intake: Intake,
        authenticator: Authenticator,
        *,
        note: Callable[[ApiRequest], None],
        proxies: TrustedProxies,
        body_seconds: float = 30.0,
    ) -> None:
        self.intake = intake
        self.authenticator = authenticator
        self.proxies = proxies
        self.body_seconds = body_seconds
        self.rates = RateLimits()
        self._note = note
        self._reading: dict[_Exchange, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        exchange = _Exchange(self, scope, receive, send)
        token = request_id.set(exchange.id)
        try:
            await exchange.respond()
        except Disconnected:
            logger.debug("a client hung up before its request was complete")
        finally:
            request_id.reset(token)
            self.has_answered(exchange)

    def begin(self, scope: Scope, body: bytes, reply: Reply) -> bool:
        """Take a small request whose body is here without waiting for anything, and `reply` when it is stored.

        False: something has to be waited for, or is wrong with it; nothing has happened, and it is served as any other.
        """
        request = _Request(self, scope)
        token = request_id.set(request.id)
        try:
            return request.begin(body, reply)
        finally:
            request_id.reset(token)

    def has_answered(self, request: _Request) -> None:
        """A request is over."""
        self._note(request.noted())

    def reads(self, exchange: _Exchange) -> None:
        """A body is not here yet."""
        self._reading[exchange] = time.perf_counter()

    def has_read(self, exchange: _Exchange) -> None:
        """Its body is complete: from here on the server is what takes time."""
        self._reading.pop(exchange, None)

    def start(self) -> None:
        """Begin to watch for clients that never finish."""
        self._task = asyncio.create_task(self._watch(), name="slow-bodies")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        # One look at all every second: a timer for each request would cost 5 µs of its 50.
        while True:
            await asyncio.sleep(1.0)
            latest = time.perf_counter() - self.body_seconds
            for exchange in [one for one, began in self._reading.items() if began < latest]:
                exchange.give_up()


class _Request:
    """One request."""

    __slots__ = ("_began", "_caller", "_front", "_scope", "_status", "headers", "id")

    def __init__(self, front: IntakeFront, scope: Scope) -> None:
        self._began = time.perf_counter()
        self._front = front
        self._scope = scope
        self._caller: Caller | None = None
        self._status = 499
        self.headers: Headers = dict(scope["headers"])
        self.id = given_or_new_id(self.headers.get(b"x-request-id", b""))

    def begin(self, body: bytes, reply: Reply) -> bool:
        """As `IntakeFront.begin`."""
        headers, intake, rates = self.headers, self._front.intake, self._front.rates
        key = self._key()
        if (
            key is None
            or self._scope["query_string"]
            or b"content-encoding" in headers
            or len(body) > intake.limits.batch_bytes
        ):
            return False
        caller = self._front.authenticator.known_holder(key)
        if caller is None:
            return False
        try:
            self._admit(caller)
            parsed = parse_body(body, self._header(b"content-type"), intake.limits.batch_events)
            circumstances = self._circumstances()
        except Exception:
            # It is met again, and told, on the ordinary way.
            return False
        self._caller = caller
        number = len(parsed.events)
        done = partial(self._answer, parsed, reply)
        try:
            if not intake.take_now(parsed, caller, circumstances, done):
                return False
        except Exception as error:
            asyncio.get_running_loop().call_soon(done, error)
        rates.charge(caller, number)
        return True

    def _answer(self, body: Body, reply: Reply, outcome: list[Result] | Exception) -> None:
        try:
            if isinstance(outcome, Exception):
                raise outcome
            answer, head, self._status = _accepted(body, outcome), self._accepted_head(), 202
        except Exception as error:
            response = response_to(error)
            answer, self._status = bytes(response.body), response.status_code
            head = b"".join(b"%b: %b\r\n" % line for line in self._with_headers(response.raw_headers))
        reply(self._status, head, answer)
        self._front.has_answered(self)

    def _accepted_head(self) -> bytes:
        head = b"content-type: application/json\r\nx-request-id: %b\r\n%b" % (self.id.encode(), DATA_LINES)
        return head + _CORS_LINES if b"origin" in self.headers else head

    def _with_headers(self, head: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        cors = _CORS if b"origin" in self.headers else ()
        return [*head, (b"x-request-id", self.id.encode()), *DATA_HEADERS, *cors]

    def _admit(self, caller: Caller) -> None:
        require(caller, Right.SEND)
        require_origin(caller, self._header(b"origin"))
        self._front.rates.check(caller)

    def _key(self) -> str | None:
        authorization = self._header(b"authorization")
        if authorization is not None and authorization[:7].lower() == "bearer ":
            return authorization[7:].strip() or None
        return (self._header(b"x-api-key") or "").strip() or None

    def _circumstances(self) -> Circumstances:
        """What else the request says. Raises BadRequest."""
        client = self._scope.get("client")
        peer = client[0] if client else None
        lines, proxies = self._scope["headers"], self._front.proxies
        return Circumstances(
            idempotency_key=self._idempotency_key(),
            ip=client_address(peer, lines, proxies),
            edge_country=edge_country(peer, lines, proxies),
            user_agent=self._header(b"user-agent"),
            signals=[signal for name, signal in _SIGNALS if self.headers.get(name) == b"1"],
        )

    def _header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def _idempotency_key(self) -> str | None:
        key = self._header(b"idempotency-key")
        if key is not None and not 0 < len(key) <= LONGEST_IDEMPOTENCY_KEY:
            raise BadRequest(f"Idempotency-Key must have 1 to {LONGEST_IDEMPOTENCY_KEY} characters.")
        return key

    def noted(self) -> ApiRequest:
        """What the request was, for whoever counts."""
        return ApiRequest(
            at=datetime.now(UTC),
            method="POST",
            route=self._scope["path"],
            status=self._status,
            seconds=time.perf_counter() - self._began,
            caller=self._caller.name if self._caller is not None else None,
            project=self._caller.project if self._caller is not None else None,
            streamed=False,
        )


class _Exchange(_Request):
    """One request that is read and answered by ASGI's messages."""

    __slots__ = ("_given_up", "_receive", "_send", "_task", "_unread")

    def __init__(self, front: IntakeFront, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(front, scope)
        self._receive = receive
        self._send = send
        self._task: asyncio.Task[object] | None = None
        self._given_up = False
        self._unread = True

    def give_up(self) -> None:
        """Wait no longer for the rest of the body."""
        if self._task is not None:
            self._given_up = True
            self._task.cancel()

    async def respond(self) -> None:
        """Answer, whatever happens. Raises Disconnected when there is nobody to answer."""
        try:
            body = await self._take()
        except Disconnected:
            raise
        except Exception as error:
            response = response_to(error)
            await self._reply(response.status_code, response.raw_headers, bytes(response.body))
        else:
            lengths = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            await self._reply(202, lengths, body)

    async def _reply(self, status: int, head: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._status = status
        headers = self._with_headers(head)
        if self._unread and (status in (408, 413) or b"expect" in self.headers):
            # The rest of the body may be long, or never come.
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _take(self) -> bytes:
        """Take the events in; the body of the 202."""
        intake, authenticator = self._front.intake, self._front.authenticator
        connection = HTTPConnection(self._scope)
        query = self._scope["query_string"]
        project = parse_qs(query.decode("latin-1")).get("project", [None])[0] if query else None
        key = self._key()
        if key is not None:
            # A wrong key, and one that sends too fast, is told so before its body is read.
            self._caller = await authenticator.holder(connection, key, project)
            self._admit(self._caller)
        limit = intake.limits.batch_bytes
        sent = await self._read(limit)
        try:
            unpacked = unpack(sent, self._header(b"content-encoding"), limit)
            body = parse_body(unpacked, self._header(b"content-type"), intake.limits.batch_events)
        except BadRequest:
            if self._caller is None:
                # No key can be in it: who needs one is told so first.
                await authenticator.holder(connection, None, project)
            raise
        if self._caller is None:
            self._caller = await authenticator.holder(connection, body.key, project)
            self._admit(self._caller)
        self._front.rates.charge(self._caller, len(body.events))
        return _accepted(body, await intake.take(body, self._caller, self._circumstances()))

    async def _read(self, limit: int) -> bytes:
        declared = self.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            raise PayloadTooLarge(
                f"The body has {int(declared)} bytes; the limit is {limit}: send smaller batches."
            )
        self._task = asyncio.current_task()
        self._front.reads(self)
        try:
            message = await self._receive()
            parts = [self._part(message, limit)]
            size = len(parts[0])
            while message.get("more_body", False):
                message = await self._receive()
                parts.append(self._part(message, limit - size))
                size += len(parts[-1])
        except asyncio.CancelledError:
            if not self._given_up or self._task is None:
                raise
            self._task.uncancel()
            raise RequestTimeout(
                f"The body did not arrive within {self._front.body_seconds:g} s; send it again, or in smaller batches."
            ) from None
        finally:
            self._front.has_read(self)
        self._unread = False
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _part(self, message: Message, room: int) -> bytes:
        if message["type"] == "http.disconnect":
            raise Disconnected
        return self._bounded(message.get("body", b""), room)

    def _bounded(self, part: bytes, room: int) -> bytes:
        if len(part) > room:
            raise PayloadTooLarge("The body is larger than it may be: send smaller batches.")
        return part


def _accepted(body: Body, results: list[Result]) -> bytes:
    """The body of the 202. Raises Unprocessable when nothing but a single event came and it is wrong."""
    if body.single and results[0].status is Status.REJECTED:
        raise Unprocessable(f"The event was not taken: {results[0].reason}.")
    return orjson.dumps(answer(results), default=str)
