"""uvicorn's HTTP protocol, with a few differences.

- A request may be read and answered directly, as an extension of ASGI: what uvicorn does for messages and any number of headers
  costs 15 of the 100 µs that a request with one event takes.
- A server that stops answers the first request of a connection that it has just accepted, instead of hanging up on it.
- Clients that send a head or a body too slowly, read their answers too slowly, send heads without end, or many bodies at once that
  they do not complete, lose their connections; all else goes on.
- What cannot be understood is answered with a problem document, after the requests before it, and closed so that it arrives.
- A wish for another protocol (`Upgrade: h2c`, which Java's client adds to every request) is not heard, its body is.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from analytics_api.errors import AnalyticsError, BadRequest, HeadTooLarge, RequestTimeout, Unavailable
from analytics_api.http_connections import Connections, Direct, LingeringTransport
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
EXTENSION = "analytics.direct"


class HttpProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`. Its server calls `check` on each connection about once a second.

    `timeout_keep_alive` is also what a client has for a head, for a body, and for taking any part of an answer, in seconds.
    """

    def __init__(self, *args: Any, shared: Connections | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._shared = shared or Connections()
        self._waiting_since = self.loop.time()
        """Since when the client owes the rest of a head or body; infinity while it owes none."""
        self._begun = False
        self._useful = False
        """Whether the bytes that came last completed a head or brought some of a body."""
        self._useless = 0
        self._newest = 0
        self._body = 0
        self._deaf = False
        """What comes is not read any more: the connection ends with the answers that are owed."""
        self._ended = False
        self._replayed = False
        self._unsent = 0
        self._unsent_since = 0.0

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
        self._unset_keepalive_if_required()
        self._newest = len(data)
        self._useful = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(error, httptools.HttpParserCallbackError):
                reason = "its address cannot be read"
            else:
                reason = str(error)
            self.refuse(
                cause
                if isinstance(cause, AnalyticsError)
                else BadRequest(f"This is no valid HTTP request: {reason}.")
            )
            return
        if self._useful:
            self._useless = 0
            if not self._begun:
                return
        else:
            self._useless += len(data)
            if self._useless > MOST_HEAD_BYTES:
                self.refuse(HeadTooLarge())
                return
        if self._waiting_since == math.inf:
            self._waiting_since = self.loop.time()
        if self._useless or self._body:
            self._shared.hold(self, self._useless + self._body)

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._replayed:
            super().on_message_begin()
            self._begun = True

    def on_headers_complete(self) -> None:
        """Its head is complete. Raises HeadTooLarge."""
        if self._replayed:
            return
        if len(self.headers) > MOST_HEADERS or (
            self._useless + self._newest > MOST_HEAD_BYTES
            and len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES
        ):
            raise HeadTooLarge
        super().on_headers_complete()
        self.cycle.scope["extensions"] = {EXTENSION: Direct(self.cycle)}  # type: ignore[dict-item]
        # Trailers are not headers: who put those there may not be who puts these.
        self.headers = []
        # The time for the body begins.
        self._waiting_since = math.inf
        self._useful = True

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        super().on_body(body)
        self._useful = True
        if not self.cycle.response_complete:
            self._body += len(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        super().on_message_complete()
        self._waiting_since = math.inf
        self._begun = False
        self._body = 0
        self._useful = True
        self._shared.release(self)

    def check(self, now: float) -> None:
        """End the connection when its client keeps it without use. `now`: the loop's time."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > self.timeout_keep_alive:
            self.transport.abort()
            return
        if self.flow.read_paused:
            # It is the server that does not take what the client may have sent.
            self._waiting_since = max(self._waiting_since, now)
        elif now - self._waiting_since > self.timeout_keep_alive + SLACK_SECONDS and not self._deaf:
            if self._begun or self._answering():
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
            return
        if cycle is None or not cycle.more_body:
            self.transport.write(self._whole(error))
        else:
            if not cycle.response_started:
                self.transport.write(self._whole(error))
            cycle.disconnected = True
            cycle.message_event.set()
        self._end()

    def _answering(self) -> bool:
        """Whether a request that has arrived is not answered yet."""
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _whole(self, error: AnalyticsError) -> bytes:
        response = response_to(error)
        headers = [
            *self.server_state.default_headers,
            *response.raw_headers,
            (b"x-request-id", given_or_new_id(b"").encode()),
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

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read on as if the request had not asked for another protocol (RFC 9110, section 7.8).

        The parser takes what follows its head for that protocol; so another one is told how long the body is.
        """
        framing = [
            b"%b: %b\r\n" % header
            for header in self.scope["headers"]
            if header[0] in (b"content-length", b"transfer-encoding")
        ]
        self.parser = httptools.HttpRequestParser(self)
        if framing:
            self.cycle.more_body = True
            self.cycle.message_event.clear()
            self._begun = self._replayed = True
            try:
                self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")
            finally:
                self._replayed = False
            self._waiting_since = self.loop.time() if self._begun else math.inf
        if rest:
            self.data_received(rest)

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
