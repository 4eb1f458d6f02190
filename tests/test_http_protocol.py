"""Requests that are answered without ASGI, beside ordinary ones on the same connection."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from analytics_api.http_connections import Connections, Reply
from analytics_api.http_protocol import HttpProtocol
from tests.support.serving import until

ONE_PIECE = b"POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nwhole"
LARGE = b"x" * 4_000_000


class Answering:
    """Answers `/now` and `/large` without ASGI, `/later` after a while, unless the body says not to; everything by messages."""

    def __init__(self) -> None:
        self.replied = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = LARGE if scope["path"] == "/large" else b"received " + body
        headers = [(b"content-length", b"%d" % len(answer)), (b"x-way", b"send")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def covers(self, scope: Scope) -> bool:
        return scope["path"] in ("/now", "/later", "/large")

    def begin(self, scope: Scope, body: bytes, reply: Reply) -> bool:
        if body == b"never":
            return False

        def answer() -> None:
            reply(200, b"x-way: now\r\n", LARGE if scope["path"] == "/large" else b"now " + body)
            self.replied.set()

        asyncio.get_running_loop().call_later(0.1 if scope["path"] == "/later" else 0, answer)
        return True


@asynccontextmanager
async def connected(
    application: Answering | None = None, **options: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a uvicorn server with the protocol, and its one look at all connections a second."""
    application = application or Answering()
    config = uvicorn.Config(
        application,
        port=0,
        http=partial(HttpProtocol, shared=Connections(immediate=application)),  # type: ignore[arg-type]
        lifespan="off",
        log_config=None,
        loop="uvloop",
        **options,
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
            assert body == b"now whole"


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
        writer.write(b"POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nla")
        await asyncio.sleep(0.05)
        writer.write(b"ter")
        assert (await answered(reader))[1] == b"received later"
        writer.write(b"POST /now HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"later")
        assert (await answered(reader))[1] == b"received later"
        writer.write(ONE_PIECE)
        assert (await answered(reader))[1] == b"now whole"


async def test_what_is_not_begun_or_large_or_of_unknown_length_goes_the_ordinary_way() -> None:
    chunked = b"POST /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"
    large = b"y" * 200_000
    async with connected() as (reader, writer):
        for request, body in (
            (ONE_PIECE.replace(b"whole", b"never"), b"never"),
            (chunked, b"whole"),
            (b"POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + large, large),
        ):
            writer.write(request)
            assert (await answered(reader))[1] == b"received " + body


async def test_pipelined_requests_of_both_kinds_and_a_close_are_answered_in_order() -> None:
    later, sent = ONE_PIECE.replace(b"/now", b"/later"), ONE_PIECE.replace(b"/now", b"/send")
    async with connected() as (reader, writer):
        writer.write(later + sent + ONE_PIECE + ONE_PIECE.replace(b"Host: a", b"Connection: close"))
        heads = [await answered(reader) for _ in range(4)]
        assert await reader.read() == b""
    assert b"x-way: now" in heads[0][0]
    assert b"x-way: send" in heads[1][0]
    assert {body.split()[1] for _, body in heads} == {b"whole"}
    assert b"connection: close" in heads[3][0]


async def test_the_connection_of_an_old_client_is_closed() -> None:
    async with connected() as (reader, writer):
        writer.write(ONE_PIECE.replace(b"HTTP/1.1", b"HTTP/1.0"))
        everything = await reader.read()
    assert everything.endswith(b"\r\n\r\nnow whole")
    assert b"connection: close" in everything


async def test_a_client_that_hangs_up_before_its_answer_disturbs_nobody() -> None:
    application = Answering()
    async with connected(application) as (_, writer):
        writer.write(ONE_PIECE.replace(b"/now", b"/later"))
        await asyncio.sleep(0.02)
        writer.transport.abort()
        await application.replied.wait()


def test_a_connection_that_breaks_before_the_answer_to_the_first_of_two_requests_disturbs_nobody() -> None:
    async def break_it() -> None:
        application = Answering()
        async with connected(application) as (_, writer):
            writer.write(ONE_PIECE)
            await until(application.replied.is_set)
            application.replied.clear()
            serving = the_server_side()
            writer.write(ONE_PIECE.replace(b"/now", b"/later") + ONE_PIECE)
            await until(lambda: bool(serving.pipeline))
            serving.transport.abort()
            await until(application.replied.is_set)

    # A server's own loop, whose transports raise when they are written to after their end.
    uvloop.run(break_it())


def the_server_side() -> HttpProtocol:
    """Of the only connection that is open."""
    [serving] = [
        one for one in gc.get_objects() if type(one) is HttpProtocol and not one.transport.is_closing()
    ]
    return serving


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    async with connected(timeout_keep_alive=60) as (reader, writer):
        writer.write(ONE_PIECE)
        await answered(reader)
        serving = the_server_side()
        serving.check(serving.loop.time() + 30)
        writer.write(ONE_PIECE)
        await answered(reader)
        serving.check(serving.loop.time() + 90)
        assert await reader.read() == b""


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    large = ONE_PIECE.replace(b"/now", b"/large")
    async with connected() as (reader, writer):
        writer.write(large * 3)
        await asyncio.sleep(0.2)
        answers = [await answered(reader) for _ in range(3)]
    assert all(body == LARGE for _, body in answers)
    assert b"x-way: now" in answers[0][0]
    assert any(b"x-way: send" in head for head, _ in answers), "the rest waited until there was room"
