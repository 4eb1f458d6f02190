"""A provider's HTTP server on loopback that does on request what providers do on bad days."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

JSON = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. `taken`: the request is processed before its answer goes wrong."""

    kind: str
    """status, hang, reset, truncate, html, garbage or slow."""
    taken: bool = False
    status: int = 503
    body: JSON | None = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: JSON | str | None
    """An object, a text that is sent as it is, or nothing."""
    headers: dict[str, str] = field(default_factory=dict)
    acknowledges: int = 0
    """Records that the answer says were taken."""


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    method: str = "POST"


class StandIn:
    """A provider on loopback. Use as an async context manager; `url` is its address."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.refused: list[Received] = []
        """Those that were too large."""
        self.faults: deque[Fault | None] = deque()
        """Taken one per request; None lets a request pass."""
        self.broken: Fault | None = None
        """Every request meets this fault once the list is used up."""
        self.acknowledged = 0
        """Records, in all answers that were sent whole."""
        self.counts_repeats = True
        """Whether the number in an answer includes records that are there already."""
        self.in_flight = 0
        self.most_in_flight = 0
        self.largest: int | None = None
        """Bytes of the largest request that is taken; larger ones are answered with 413."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    def handle(self, request: Received) -> Reply:
        """The provider's own answer."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=64 * 1024 * 1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            # A connection that has just been accepted gets its transport and its protocol in the loop's next turns, unless its
            # server is closed: then asyncio leaves its socket to the garbage collector.
            for listener in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listener.fileno())
            for _ in range(3):
                await asyncio.sleep(0)
            self._server.close()
        self.hang_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # A task cancelled before its first step has closed nothing.
        for writer in self._writers:
            writer.transport.abort()

    def hang_up(self) -> None:
        """End all connections, whatever was asked over them."""
        for task in self._tasks:
            task.cancel()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read_request(reader)) is not None:
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                try:
                    again = await self._answer(request, writer)
                finally:
                    self.in_flight -= 1
                if not again:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        """Answer a request, as the next fault has it. False: the connection is gone."""
        self.requests.append(request)
        fault = self.faults.popleft() if self.faults else self.broken
        if fault is None:
            return await self._whole(writer, request)
        reply = self._reply(request) if fault.taken else None
        if fault.kind == "hang":
            await asyncio.sleep(3600)
        if fault.kind == "reset":
            return False
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return await self._whole(writer, request)
        if fault.kind == "truncate":
            text = json.dumps((reply or Reply(200, {"code": 200})).body).encode()
            writer.write(_head(200, len(text) + 50, {}) + text)
            await writer.drain()
            return False
        if fault.kind == "html":
            return await _write_bytes(
                writer, 200, b"<html><body>Please log in to the Wi-Fi</body></html>", {}
            )
        if fault.kind == "garbage":
            return await _write_bytes(writer, 200, b'{"code": 20', {})
        return await _write(writer, Reply(fault.status, fault.body or {}, fault.headers))

    async def _whole(self, writer: asyncio.StreamWriter, request: Received) -> bool:
        reply = self._reply(request)
        self.acknowledged += reply.acknowledges
        return await _write(writer, reply)

    def _reply(self, request: Received) -> Reply:
        if self.largest is not None and len(request.body) > self.largest:
            self.refused.append(request)
            return self.too_large()
        return self.handle(request)

    def too_large(self) -> Reply:
        """The provider's 413."""
        raise NotImplementedError


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = line.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (item.partition(":") for item in lines if item)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Received(
        parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}, headers, body, method
    )


def _head(status: int, length: int, headers: dict[str, str]) -> bytes:
    given = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{given}\r\n".encode()


async def _write_bytes(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str]
) -> bool:
    writer.write(_head(status, len(body), headers) + body)
    await writer.drain()
    return True


async def _write(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    if reply.body is None:
        return await _write_bytes(writer, reply.status, b"", reply.headers)
    if isinstance(reply.body, str):
        return await _write_bytes(writer, reply.status, reply.body.encode(), reply.headers)
    return await _write_bytes(
        writer,
        reply.status,
        json.dumps(reply.body).encode(),
        {"Content-Type": "application/json", **reply.headers},
    )


def strict_json(body: bytes) -> Any:
    def refuse(name: str) -> Any:
        raise ValueError(name)

    return json.loads(body.decode("utf-8"), parse_constant=refuse)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((depth(inner) for inner in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(inner) for inner in value), default=0)
    return 0


def longest(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    inner: Iterable[Any] = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    return max((longest(item) for item in inner), default=0)
