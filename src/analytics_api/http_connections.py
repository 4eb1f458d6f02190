"""Parts of the HTTP protocol: the limits of all connections together, a transport that lingers, requests answered without ASGI."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_STATUS_LINES = {
    int(status): b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}


AT_ONCE = 8
"""Requests begun in one turn of the loop. Of 64 that arrive together the first are on their way to the database while the next are
read: 8 gave 1.15 of the bare route where all at once gave 1.03 (4: 1.11, 16: 1.09)."""


class Evictable(Protocol):
    """One on which a request is arriving."""

    def evict(self) -> None:
        """Make room: the request is not waited for any longer."""


class Connections:
    """What all connections share: `immediate`, and limits: `most` of them, and `arriving_bytes` of requests that are not complete.

    When those are too many, the oldest of them has to go. So a slow client with a large body can hold memory only as long as
    nobody else needs it.
    """

    def __init__(
        self, *, arriving_bytes: int = 67_108_864, most: int = 10_000, immediate: Immediate | None = None
    ) -> None:
        self.most = most
        self.immediate = immediate
        self._limit = arriving_bytes
        self._bytes = 0
        self._held: dict[Evictable, int] = {}
        self._turns: deque[Callable[[], None]] = deque()

    def take_turn(self, begin: Callable[[], None]) -> None:
        """Begin on a request, soon: AT_ONCE of them in each turn of the loop."""
        if not self._turns:
            asyncio.get_running_loop().call_soon(self._take_turns)
        self._turns.append(begin)

    def _take_turns(self) -> None:
        try:
            for _ in range(min(AT_ONCE, len(self._turns))):
                self._turns.popleft()()
        finally:
            if self._turns:
                asyncio.get_running_loop().call_soon(self._take_turns)

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


Reply = Callable[[int, bytes, bytes], None]
"""Writes a whole answer: its status, lines of headers (each with its line end and none with one inside), its body."""


class Immediate(Protocol):
    """What begins on a request as soon as it is whole: no task, no messages of ASGI."""

    def covers(self, scope: Scope) -> bool:
        """Whether requests like this one, whose head is complete, are such."""
        ...

    def begin(self, scope: Scope, body: bytes, reply: Reply) -> bool:
        """Begin on a whole request. `reply` is called once, later than this returns. False: nothing has happened, use ASGI."""
        ...


def answer(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> None:
    """Write a whole answer at once, to whoever is still there."""
    # Of pipelined requests uvicorn notes that of the last one alone: the connection is asked, too.
    if cycle.disconnected or cycle.transport.is_closing():
        return
    cycle.response_started = cycle.response_complete = True
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
