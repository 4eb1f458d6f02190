"""Requests that are read and answered directly, beside ordinary ones on the same connection."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from analytics_api.http_protocol import EXTENSION, HttpProtocol

ONE_PIECE = b"POST /direct HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nwhole"
LARGE = b"x" * 4_000_000


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers `/direct` with how the body came and the body; everything else by messages."""
    direct = scope["extensions"][EXTENSION]
    body, how = direct.body(), b"direct "
    if body is None:
        how, body, more = b"received ", b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
    answer = LARGE if scope["path"] == "/large" else how + body
    if scope["path"] == "/send" or not direct.answer(200, b"x-way: direct\r\n", answer):
        headers = [(b"content-length", b"%d" % len(answer)), (b"x-way", b"send")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


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


async def answered(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head and the body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    return head, await reader.readexactly(length)


async def test_a_connection_lives_on_and_each_answer_arrives_in_one_piece() -> None:
    async with connected() as (reader, writer):
        for _ in range(50):
            writer.write(ONE_PIECE)
            piece = await reader.read(65_536)
            head, _, body = piece.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\ndate: " in head
            assert b"connection" not in head
            assert body == b"direct whole"


async def test_a_request_leaves_nothing_to_the_garbage_collector() -> None:
    async with connected() as (reader, writer):
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                writer.write(ONE_PIECE)
                await answered(reader)
            left = sum(type(one) is RequestResponseCycle for one in gc.get_objects())
        finally:
            gc.enable()
        assert left <= 1


async def test_a_body_that_comes_later_is_received() -> None:
    async with connected() as (reader, writer):
        for expectation in (b"", b"Expect: 100-continue\r\n"):
            writer.write(b"POST /direct HTTP/1.1\r\nHost: a\r\n%bContent-Length: 5\r\n\r\n" % expectation)
            if expectation:
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            else:
                await asyncio.sleep(0.05)
            writer.write(b"later")
            assert (await answered(reader))[1] == b"received later"
        writer.write(ONE_PIECE)
        assert (await answered(reader))[1] == b"direct whole"


async def test_pipelined_requests_of_both_kinds_and_a_close_are_answered_in_order() -> None:
    sent = ONE_PIECE.replace(b"/direct", b"/send")
    async with connected() as (reader, writer):
        writer.write(ONE_PIECE + sent + ONE_PIECE.replace(b"Host: a", b"Connection: close"))
        heads = [await answered(reader) for _ in range(3)]
        assert await reader.read() == b""
    assert [b"x-way: direct" in head for head, _ in heads] == [True, False, True]
    assert {body for _, body in heads} == {b"direct whole"}
    assert b"connection: close" in heads[2][0]


async def test_the_connection_of_an_old_client_is_closed() -> None:
    async with connected() as (reader, writer):
        writer.write(ONE_PIECE.replace(b"HTTP/1.1", b"HTTP/1.0"))
        everything = await reader.read()
    assert everything.endswith(b"\r\n\r\ndirect whole")
    assert b"connection: close" in everything


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    large = ONE_PIECE.replace(b"/direct", b"/large")
    async with connected() as (reader, writer):
        writer.write(large * 3)
        await asyncio.sleep(0.2)
        answers = [await answered(reader) for _ in range(3)]
    assert all(body == LARGE for _, body in answers)
    assert b"x-way: direct" in answers[0][0]
    assert any(b"x-way: send" in head for head, _ in answers), "the rest waited until there was room"
