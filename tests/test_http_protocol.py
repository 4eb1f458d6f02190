"""Head and body of an answer in one write, and streams whose head does not wait for a body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import Receive, Scope, Send

from analytics_api.http_protocol import HttpProtocol

GO_ON = asyncio.Event()


async def application(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers `/` at once, and `/stream` in two parts, the second when it is told to."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
    if scope["path"] == "/stream":
        await GO_ON.wait()
        await send({"type": "http.response.body", "body": b"HTTP/", "more_body": True})
        await send({"type": "http.response.body", "body": b"1.1 x"})
    else:
        await send({"type": "http.response.body", "body": b"0123456789"})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a uvicorn server with the protocol."""
    config = uvicorn.Config(
        application, port=0, http=HttpProtocol, lifespan="off", log_config=None, loop="uvloop"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await serving


async def test_an_answer_arrives_in_one_piece_and_the_connection_lives_on() -> None:
    async with connected() as (reader, writer):
        for _ in range(50):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            piece = await reader.read(65_536)
            assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
            assert piece.endswith(b"\r\n\r\n0123456789")


async def test_the_head_of_a_stream_does_not_wait_for_its_body() -> None:
    GO_ON.clear()
    async with connected() as (reader, writer):
        writer.write(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        GO_ON.set()
        assert await reader.readexactly(10) == b"HTTP/1.1 x"


async def test_pipelined_requests_and_a_close_are_answered_in_full() -> None:
    async with connected() as (reader, writer):
        writer.write(
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2
            + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        everything = await reader.read()
    assert everything.count(b"\r\n\r\n0123456789") == 3
