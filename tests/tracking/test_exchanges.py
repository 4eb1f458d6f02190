"""Streams, exceptions, background work and clients that hang up: what the middleware notes, behind a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from analytics_api.domain.api_request import ApiRequest
from analytics_api.tracking import ApiTrackingMiddleware
from tests.support.serving import Served, served, until


@pytest.fixture
async def behaving() -> AsyncIterator[tuple[Served, list[ApiRequest], dict[str, asyncio.Event]]]:
    """An application whose routes stream, fail, wait and go on after the response; its notes; its signals."""
    notes: list[ApiRequest] = []
    signals = {name: asyncio.Event() for name in ("begun", "go on", "background")}

    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            await signals["go on"].wait()
            if request.query_params.get("fail"):
                raise ValueError("in the middle of the stream")
            yield b"second"

        return StreamingResponse(parts(), 201, media_type=request.query_params.get("type"))

    async def background(_request: Request) -> Response:
        async def later() -> None:
            await signals["go on"].wait()
            signals["background"].set()
            raise ValueError("after the response")

        return PlainTextResponse("sent", background=BackgroundTask(later))

    async def fail(_request: Request) -> Response:
        raise ValueError("before the response")

    async def wait(_request: Request) -> Response:
        signals["begun"].set()
        await signals["go on"].wait()
        return PlainTextResponse("too late")

    async def echo(request: Request) -> Response:
        signals["begun"].set()
        try:
            return PlainTextResponse(await request.body())
        except ClientDisconnect:
            return PlainTextResponse("nobody reads this", 400)

    async def unanswered(request: Request) -> Response:
        return PlainTextResponse(await request.body())

    app = Starlette(
        routes=[
            Route("/stream", stream),
            Route("/background", background),
            Route("/fail", fail),
            Route("/wait", wait, methods=["GET", "POST"]),
            Route("/echo", echo, methods=["POST"]),
            Route("/unanswered", unanswered, methods=["POST"]),
        ],
        middleware=[Middleware(ApiTrackingMiddleware, sink=notes.append)],
    )
    async with served(app) as server:
        yield server, notes, signals


Behaving = tuple[Served, list[ApiRequest], dict[str, asyncio.Event]]


async def test_a_stream_passes_part_by_part_and_is_noted_at_its_end(behaving: Behaving) -> None:
    server, notes, signals = behaving
    async with server.client.stream("GET", "/stream") as response:
        parts = response.aiter_bytes()
        assert await anext(parts) == b"first"
        assert notes == []
        signals["go on"].set()
        assert [part async for part in parts] == [b"second"]
    await until(lambda: len(notes) == 1)
    assert (notes[0].status, notes[0].streamed) == (201, False)


async def test_event_streams_are_marked(behaving: Behaving) -> None:
    server, notes, signals = behaving
    signals["go on"].set()
    await server.client.get("/stream", params={"type": "text/event-stream"})
    await until(lambda: len(notes) == 1)
    assert notes[0].streamed


async def test_an_exception_in_the_middle_of_a_stream_still_breaks_the_connection(behaving: Behaving) -> None:
    server, notes, signals = behaving
    signals["go on"].set()
    with pytest.raises(httpx.RemoteProtocolError):
        await server.client.get("/stream", params={"fail": "1"})
    await until(lambda: len(notes) == 1)
    assert notes[0].status == 500


async def test_background_work_is_neither_waited_for_nor_blamed_on_the_request(behaving: Behaving) -> None:
    server, notes, signals = behaving
    response = await server.client.get("/background")
    assert response.text == "sent"
    await until(lambda: len(notes) == 1)
    assert not signals["background"].is_set()
    signals["go on"].set()
    await until(signals["background"].is_set)
    assert [note.status for note in notes] == [200]


async def test_an_exception_goes_on_to_the_server_and_is_noted_as_500(behaving: Behaving) -> None:
    server, notes, _ = behaving
    response = await server.client.get("/fail")
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert [note.status for note in notes] == [500]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf of it",
        b"POST /unanswered HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf of it",
    ],
    ids=["waiting for the answer", "sending the body", "sending the body, no answer tried"],
)
async def test_a_client_that_hangs_up_before_the_response_is_a_499(
    behaving: Behaving, request_bytes: bytes
) -> None:
    server, notes, signals = behaving
    _, writer = await server.connect()
    writer.write(request_bytes)
    await writer.drain()
    if b"unanswered" not in request_bytes:
        await until(signals["begun"].is_set)
    writer.close()
    await writer.wait_closed()
    if b"/wait" in request_bytes:
        # Longer than it takes uvicorn to learn of it, and than a request must last to be looked after.
        await asyncio.sleep(0.1)
        signals["go on"].set()
    await until(lambda: len(notes) == 1)
    assert notes[0].status == 499


async def test_a_client_that_waits_long_gets_its_answer(behaving: Behaving) -> None:
    server, notes, signals = behaving
    answer = asyncio.create_task(server.client.post("/wait", content=b"never read by the application"))
    await until(signals["begun"].is_set)
    await asyncio.sleep(0.05)
    signals["go on"].set()
    assert (await answer).text == "too late"
    assert [note.status for note in notes] == [200]
    assert notes[0].seconds >= 0.05


async def test_a_client_that_hangs_up_during_the_response_leaves_the_status_that_was_sent(
    behaving: Behaving,
) -> None:
    server, notes, _ = behaving
    reader, writer = await server.connect()
    writer.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"201 Created" in await reader.readuntil(b"first")
    writer.close()
    await until(lambda: len(notes) == 1)
    assert notes[0].status == 201


async def test_a_body_arrives_whole_after_the_client_has_been_looked_after() -> None:
    """An application that answers first and reads later must still be given what it has not read."""
    notes: list[ApiRequest] = []
    read: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.02)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            read.append(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": b"".join(read)})

    body = bytes(200_000)
    async with served(ApiTrackingMiddleware(app, notes.append)) as server:
        response = await server.client.post("/", content=body)
        empty = await server.client.get("/")
    assert response.content == body
    assert empty.status_code == 200
    assert [note.status for note in notes] == [200, 200]
    assert [note.route for note in notes] == ["(unmatched)", "(unmatched)"]


async def test_a_client_that_waits_for_100_continue_is_not_told_to_send_a_body_that_nobody_wants() -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.02)
        await PlainTextResponse("too large", 413)(scope, receive, send)

    async with served(ApiTrackingMiddleware(refuse, lambda note: None)) as server:
        reader, writer = await server.connect()
        writer.write(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()
