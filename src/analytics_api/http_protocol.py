"""uvicorn's HTTP protocol, with two differences.

A request may be read and answered directly, as an extension of ASGI: what uvicorn does for messages and any number of headers
costs 15 of the 100 µs that a request with one event takes. And a server that stops answers the first request of a connection that
it has just accepted, instead of hanging up on it.
"""

from __future__ import annotations

from http import HTTPStatus

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

FIRST_REQUEST_SECONDS = 1.0
EXTENSION = "analytics.direct"

_STATUS_LINES = {
    int(status): b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}


class Direct:
    """The extension `analytics.direct` of an ASGI scope. Whoever uses it does not use `receive` or `send` as well."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def body(self) -> bytes | None:
        """The body, if all of it has arrived; else nothing, and `receive` brings it."""
        cycle = self._cycle
        if (
            cycle.more_body
            or cycle.disconnected
            or cycle.waiting_for_100_continue
            or len(cycle.body) > HIGH_WATER_LIMIT
        ):
            return None
        body = bytes(cycle.body)
        cycle.body = bytearray()
        return body

    def answer(self, status: int, head: bytes, body: bytes) -> bool:
        """Write a whole answer at once, and say so; False: `send` is to be used, because the client does not read.

        `head` is lines of headers, each with its line end and none with one inside; Content-Length is added.
        """
        cycle = self._cycle
        if cycle.disconnected:
            return True
        if cycle.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        parts = [_STATUS_LINES[status]]
        for name, value in cycle.default_headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (
            head,
            b"content-length: %d\r\n" % len(body),
            b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n",
            body,
        )
        cycle.transport.write(b"".join(parts))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True


class HttpProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`."""

    def on_headers_complete(self) -> None:
        """Begin to serve a request, whose task runs once this piece of data has been read."""
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not None and self.cycle is not before:
            self.cycle.scope["extensions"] = {EXTENSION: Direct(self.cycle)}  # type: ignore[dict-item]

    def shutdown(self) -> None:
        """End the connection once nothing is owed on it. Called by a server that accepts no further ones."""
        if self.cycle is None and not self.transport.is_closing():
            # Its request is on the way.
            self.loop.call_later(FIRST_REQUEST_SECONDS, self._shut_down)
        else:
            self._shut_down()

    def _shut_down(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
