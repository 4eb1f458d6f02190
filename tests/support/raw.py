"""HTTP as no library sends it: bytes on a socket, and the answers that come back."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.support.load import EVENTS

PATIENCE = 60.0
"""Seconds after which a test that waits for an answer gives up: a guard against hanging, not a measure."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """Its body."""
        return dict(json.loads(self.body))

    @property
    def detail(self) -> str:
        """What a problem document says; fails when it is none."""
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.json["status"] == self.status
        return str(self.json["detail"])


def request(
    body: bytes = b"",
    *lines: str,
    method: str = "POST",
    path: str = EVENTS,
    version: str = "1.1",
    length: bool = True,
    close: bool = True,
) -> bytes:
    """The bytes of a request; `lines` are further lines of its head. Without `length` it says none."""
    head = [f"{method} {path} HTTP/{version}", "Host: localhost", *lines]
    if length:
        head.append(f"Content-Length: {len(body)}")
    if close:
        head.append("Connection: close")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send_without_waiting(self, data: bytes) -> None:
        """Send while something else is done, as much as the server takes."""
        self._writer.write(data)

    async def send(self, data: bytes) -> None:
        """Send as much as the server takes."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            # It has answered and closed; the answer can be read all the same.
            pass

    async def answer(self) -> Answer | None:
        """The next answer; None when the connection ends before one."""
        async with asyncio.timeout(PATIENCE):
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                assert not error.partial, error.partial
                return None
            except ConnectionResetError:
                # What was sent last met a closed connection.
                return None
            first, *lines = head.decode("latin-1").splitlines()
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    async def answers(self) -> list[Answer]:
        """All answers until the server closes."""
        found = []
        while (answer := await self.answer()) is not None:
            found.append(answer)
        return found

    def send_eof(self) -> None:
        """Say that no more will be sent."""
        if not self._writer.transport.is_closing():
            self._writer.write_eof()

    def hang_up(self) -> None:
        """Close with a reset, as a process that is killed does."""
        self._writer.transport.abort()


@asynccontextmanager
async def connected(port: int, *, receive_buffer: int | None = None) -> AsyncIterator[Client]:
    """A connection to the server on this machine, closed at the end. `receive_buffer`: the system's, in bytes."""
    connection = socket.socket()
    connection.setblocking(False)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connection)
    client = Client(reader, writer)
    try:
        yield client
    finally:
        client.hang_up()
        with suppress(OSError):
            await writer.wait_closed()


async def ask(port: int, data: bytes) -> list[Answer]:
    """Send bytes on a connection of their own; the answers until the server closes it."""
    async with connected(port) as client:
        await client.send(data)
        return await client.answers()
