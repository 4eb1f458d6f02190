"""uvicorn's HTTP protocol, with a few differences.

- Small requests that an application is `Immediate` about are answered without a task and without ASGI's messages, a few in each turn of
  the loop (docs/decisions/0008).
- A server that stops answers the first request of a connection that it has just accepted, instead of hanging up on it.
- Clients that send a head or a body too slowly, read their answers too slowly, send heads without end, or many bodies at once that
  they do not complete, lose their connections; all else goes on.
- What cannot be understood is answered with a problem document and closed so that it arrives; after answers that are owed, closed.
- A wish for another protocol (`Upgrade: h2c`, which Java's client adds to every request) is not heard, its body is.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

import httptools
from starlette.responses import Response
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from analytics_api.access.headers import DATA_HEADERS
from analytics_api.errors import AnalyticsError, BadRequest, HeadTooLarge, RequestTimeout, Unavailable
from analytics_api.http_connections import Connections, LingeringTransport, answer
from analytics_api.problems import given_or_new_id, response_to

FIRST_REQUEST_SECONDS = 1.0
LAST_BODY_SECONDS = 3.0
"""For a body that is on its way when the server is told to stop."""
LINGER_SECONDS = 5.0
"""For a client to stop sending after an answer that closes the connection."""
SLACK_SECONDS = 2.0
"""By which a route that has a limit for bodies itself comes first."""
MOST_HEAD_BYTES = 65_536
MOST_HEADERS = 200


class HttpProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`. Its server calls `check` on each connection about once a second.

    `timeout_keep_alive` is also what a client has for a head, for a body, and for taking any part of an answer, in seconds.
    """

    # uvicorn's part has 30 attributes. With more than that in its dictionary an object of Python 3.11 is slower.
    __slots__ = (
        "_arriving",
        "_body",
        "_deaf",
        "_ended",
        "_held",
        "_idle_since",
        "_immediate",
        "_shared",
        "_unsent",
        "_unsent_since",
        "_useless",
        "_waiting_since",
    )

    def __init__(self, *args: Any, shared: Connections | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._shared = shared or Connections()
        self._arriving = True
        """Whether the client owes the rest of a head or body, or its first request."""
        self._waiting_since = self.loop.time()
        """Since when it does."""
        self._useless = 0
        """Bytes that came since those that completed a head or brought some of a body."""
        self._body = 0
        """Bytes that a body which is not complete has by now."""
        self._held = False
        """Whether those are noted in what all connections share."""
        self._deaf = False
        """What comes is not read any more: the connection ends with the answers that are owed."""
        self._ended = False
        self._unsent = 0
        self._unsent_since = 0.0
        self._immediate: ASGI3Application | None = None
        """What serves the request that is being parsed, should its body not be here as well."""
        self._idle_since: float | None = None
        """Since when nothing is asked of this server on the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room for one more."""
        lingering = LingeringTransport(transport, self._lingers)
        super().connection_made(cast(asyncio.Transport, lingering))
        if len(self.connections) > self._shared.most:
            lingering.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was arriving."""
        self._shared.release(self)
        super().connection_lost(exc)
        cast(LingeringTransport, self.transport).detach()

    def data_received(self, data: bytes) -> None:
        """Parse; refuse what is no HTTP, and heads and trailers without end."""
        if self._deaf:
            return
        self._idle_since = None
        size = len(data)
        self._useless += size
        while data:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                self._ignore_upgrade()
                data = data[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                self.refuse(_reason(error))
                return
        if self._immediate is not None:
            # The rest of its body may come late, or never.
            app, self._immediate = self._immediate, None
            super()._start_asgi_task(self.cycle, app)
        if self._useless > MOST_HEAD_BYTES:
            self.refuse(HeadTooLarge())
        elif self._useless or self.cycle.more_body or self.scope is not self.cycle.scope:
            self._note_arriving(size)

    def _note_arriving(self, size: int) -> None:
        if not self._arriving:
            self._arriving = True
            self._waiting_since = self.loop.time()
        if self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete:
            self._body += size
        self._held = True
        self._shared.hold(self, self._useless + self._body)

    def on_headers_complete(self) -> None:
        """A request's head is complete. Raises HeadTooLarge."""
        if len(self.headers) > MOST_HEADERS or (
            self._useless > MOST_HEAD_BYTES
            and len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES
        ):
            raise HeadTooLarge
        super().on_headers_complete()
        # Trailers are not headers: who put those there may not be who puts these.
        self.headers = []
        self._useless = 0
        # The time for the body begins.
        self._arriving = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        immediate = self._shared.immediate
        if (
            cycle.more_body
            and immediate is not None
            and immediate.covers(cast(Scope, cycle.scope))
            and _is_small(cycle)
        ):
            self._immediate = app
        else:
            super()._start_asgi_task(cycle, app)

    def _begin_immediate(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin on a request that is whole."""
        immediate = self._shared.immediate
        if (
            self.flow.write_paused
            or immediate is None
            or not immediate.begin(cast(Scope, cycle.scope), bytes(cycle.body), partial(answer, cycle))
        ):
            super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._useless = 0
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._useless = 0
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self._arriving = False
        if self._held:
            self._held = False
            self._body = 0
            self._shared.release(self)
        if self._immediate is not None:
            app, self._immediate = self._immediate, None
            if not self.cycle.response_complete:
                self._shared.take_turn(partial(self._begin_immediate, self.cycle, app))

    def on_response_complete(self) -> None:
        """An answer is written: the next request, if it is there already."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            super()._start_asgi_task(*self.pipeline.pop())
        else:
            # A look once a second instead of a timer for each request, which would cost 3 µs.
            self._idle_since = self.loop.time()

    def check(self, now: float) -> None:
        """End the connection when its client keeps it without use. `now`: the loop's time."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > self.timeout_keep_alive:
            self.transport.abort()
            return
        if self._idle_since is not None and now - self._idle_since > self.timeout_keep_alive:
            self.timeout_keep_alive_handler()
        elif self.flow.read_paused:
            # It is the server that does not take what the client may have sent.
            self._waiting_since = max(self._waiting_since, now)
        elif (
            self._arriving
            and now - self._waiting_since > self.timeout_keep_alive + SLACK_SECONDS
            and not self._deaf
        ):
            if self._begun() or self._answering():
                self.refuse(
                    RequestTimeout(
                        f"The request did not arrive within {self.timeout_keep_alive:g} s; send it again."
                    )
                )
            else:
                self.transport.close()

    def evict(self) -> None:
        """Make room for what else is arriving."""
        self.refuse(
            Unavailable("Too much is arriving at once; send the same request again, or in smaller batches.")
        )

    def refuse(self, error: AnalyticsError) -> None:
        """Answer the request that is arriving with an error and end the connection, after the answers to those before it."""
        self._shared.release(self)
        cycle = self.cycle
        if self.pipeline or self._answering():
            cycle.keep_alive = False
            self._deaf = True
            if cycle.more_body:
                # It waits for its turn, and would then wait for the rest of its body.
                self.pipeline[0] = (cycle, _problem(error))  # type: ignore[assignment]
            return
        if cycle is None or not cycle.more_body:
            self.transport.write(self._whole(error))
        else:
            if not cycle.response_started:
                self.transport.write(self._whole(error))
            cycle.disconnected = True
            cycle.message_event.set()
        self._end()

    def _begun(self) -> bool:
        """Whether a request has begun to arrive and is not complete."""
        if self.cycle is None:
            return self.scope is not None
        return self.cycle.more_body or self.scope is not self.cycle.scope

    def _answering(self) -> bool:
        """Whether a request that has arrived is not answered yet."""
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _whole(self, error: AnalyticsError) -> bytes:
        response = _problem(error)
        headers = [
            *self.server_state.default_headers,
            *response.raw_headers,
            *DATA_HEADERS,
            (b"connection", b"close"),
        ]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        return STATUS_LINE[response.status_code] + lines + b"\r\n" + bytes(response.body)

    def _end(self) -> None:
        """Send what is to be sent, then close when the client does, or soon. To close at once, with bytes of the client's not
        read, resets the connection, and the answer may be lost.
        """
        self._deaf = self._ended = True
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _lingers(self) -> bool:
        if self._ended or self.cycle is None or not (self.cycle.more_body or self._deaf):
            return False
        self._end()
        return True

    def _ignore_upgrade(self) -> None:
        """Read on as if the request had not asked for another protocol (RFC 9110, section 7.8).

        The parser takes what follows its head for that protocol; so another one is told how long the body is.
        """
        framing = [
            b"%b: %b\r\n" % header
            for header in self.scope["headers"]
            if header[0] in (b"content-length", b"transfer-encoding")
        ]
        listener = _Listener(self)
        self.parser = httptools.HttpRequestParser(listener)
        if framing:
            self.cycle.more_body = True
            self.cycle.message_event.clear()
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")
        listener.knows_head = False

    def shutdown(self) -> None:
        """End the connection once nothing is owed on it. Called by a server that accepts no further ones."""
        if self.cycle is None and not self.transport.is_closing():
            # Its request is on the way.
            self.loop.call_later(FIRST_REQUEST_SECONDS, self._shut_down)
        else:
            self._shut_down()

    def _shut_down(self) -> None:
        if not self.transport.is_closing():
            if self.cycle is not None and self.cycle.more_body:
                self.loop.call_later(LAST_BODY_SECONDS, self._give_up)
            super().shutdown()

    def _give_up(self) -> None:
        if self.cycle.more_body and not self._deaf and not self.transport.is_closing():
            self.refuse(Unavailable("The server is stopping; send the same request again."))


class _Listener:
    """What the parser after an ignored upgrade calls: the protocol, but for the head that it has read already."""

    def __init__(self, protocol: HttpProtocol) -> None:
        self._protocol = protocol
        self.knows_head = True
        self.on_url = protocol.on_url
        self.on_header = protocol.on_header
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self.knows_head:
            self._protocol.on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is complete."""
        if not self.knows_head:
            self._protocol.on_headers_complete()


def _problem(error: AnalyticsError) -> Response:
    response = response_to(error)
    response.headers["x-request-id"] = given_or_new_id(b"")
    return response


def _reason(error: httptools.HttpParserError) -> AnalyticsError:
    """Why a request cannot be understood."""
    if isinstance(error.__context__, AnalyticsError):
        return error.__context__
    if isinstance(error, httptools.HttpParserCallbackError):
        return BadRequest("This is no valid HTTP request: its address cannot be read.")
    return BadRequest(f"This is no valid HTTP request: {error}.")


def _is_small(cycle: RequestResponseCycle) -> bool:
    """Whether it has a body that is so small that it may be here already."""
    length = b""
    for name, value in cycle.scope["headers"]:
        if name == b"content-length":
            length = value
        elif name in (b"expect", b"upgrade"):
            return False
    return length.isdigit() and int(length) <= HIGH_WATER_LIMIT
