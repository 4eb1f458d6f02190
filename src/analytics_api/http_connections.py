"""Parts of the HTTP protocol: the limits of all connections together, a transport that lingers, answers without messages."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_STATUS_LINES = {
    int(status): b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}


class Evictable(Protocol):
    """One on which a request is arriving."""

    def evict(self) -> None:
        """Make room: the request is not waited for any longer."""


class Connections:
    """The limits of all connections together: `most` of them, and `arriving_bytes` of requests that are not complete.

    When those are too many, the oldest of them has to go. So a slow client with a large body can hold memory only as long as
    nobody else needs it.
    """

    def __init__(self, *, arriving_bytes: int = 67_108_864, most: int = 10_000) -> None:
        self.most = most
        self._limit = arriving_bytes
        self._bytes = 0
        self._held: dict[Evictable, int] = {}

    def hold(self, connection: Evictable, size: int) -> None:
        """Note how many bytes a connection's request has by now."""
        self._bytes += size - self._held.get(connection, 0)
        self._held[connection] = size
        while self._bytes > self._limit:
            oldest = next(iter(self._held))
            self.release(oldest)
            oldest.evict()

    def release(self, connection: Evictable) -> None:
        """The connection's request is complete, or never will be."""
        self._bytes -= self._held.pop(connection, 0)


class LingeringTransport:
    """A transport that asks before it closes whether it should linger, and then is closed by whom it asked."""

    __slots__ = (
        "_lingers",
        "_transport",
        "abort",
        "get_extra_info",
        "get_write_buffer_size",
        "is_closing",
        "pause_reading",
        "resume_reading",
        "write",
        "write_eof",
    )

    def __init__(self, transport: asyncio.Transport, lingers: Callable[[], bool]) -> None:
        self._transport = transport
        self._lingers = lingers
        # Bound once: a detour through __getattr__ would cost each request a microsecond.
        self.abort = transport.abort
        self.get_extra_info = transport.get_extra_info
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.write = transport.write
        self.write_eof = transport.write_eof

    def close(self) -> None:
        """Close when all is sent."""
        if not self._lingers():
            self._transport.close()

    def detach(self) -> None:
        """Ask no more: the two would keep each other in memory until the next collection of cycles."""
        self._lingers = _never


def _never() -> bool:
    return False


class Direct:
    """The extension `analytics.direct` of an ASGI scope. Whoever uses it does not use `receive` or `send` as well."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        # Weak, because the cycle's scope refers to this: each request would be left to the garbage collector.
        self._cycle = weakref.ref(cycle)

    def body(self) -> bytes | None:
        """The body, if all of it has arrived; else nothing, and `receive` brings it."""
        cycle = self._cycle()
        if (
            cycle is None
            or cycle.more_body
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
        cycle = self._cycle()
        if cycle is None or cycle.disconnected:
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
