"""The middleware around applications of all kinds, behind a real server: what it notes, and that it changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from analytics_api.domain.api_request import ApiRequest
from analytics_api.tracking import ApiTrackingMiddleware
from tests.support.serving import Served, served, until


@dataclass(frozen=True)
class Somebody:
    """A caller as any application may have it."""

    name: str


async def name_caller(request: Request) -> None:
    request.state.caller = Somebody("ada")


def shop() -> FastAPI:
    """A FastAPI application with included, mounted and repeated routes."""
    app = FastAPI()
    router = APIRouter(prefix="/orders")

    @router.get("/{order}/lines/{line:int}", dependencies=[Depends(name_caller)])
    async def line(order: str, line: int) -> dict[str, str]:
        return {"order": order}

    @router.api_route("/now", methods=["GET", "POST"])
    @app.get("/orders-now")
    async def now() -> str:
        return "now"

    async def plain(_request: Request) -> Response:
        return PlainTextResponse("plain")

    router.add_route("/plain/{name}", plain, methods=["GET"])
    app.include_router(router, prefix="/api")
    app.mount("/{tenant}/admin", Starlette(routes=[Route("/people/{tenant}", plain)]))
    return app


async def notes_of(app: FastAPI | Starlette, *requests: tuple[str, str]) -> list[ApiRequest]:
    """What is noted of requests (method, path) that are sent one after another."""
    notes: list[ApiRequest] = []
    app.add_middleware(ApiTrackingMiddleware, sink=notes.append)
    async with served(app) as server:
        for method, path in requests:
            await server.client.request(method, path)
    return notes


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/api/orders/ada@example.com/lines/3", "/api/orders/{order}/lines/{line}", 200),
        ("DELETE", "/api/orders/ada@example.com/lines/3", "/api/orders/{order}/lines/{line}", 405),
        ("GET", "/api/orders/17/lines/x", "(unmatched)", 404),
        ("POST", "/api/orders/now?key=secret", "/api/orders/now", 200),
        ("GET", "/orders-now", "/orders-now", 200),
        ("GET", "/api/plain/a%2Fb", "(unmatched)", 404),
        ("GET", "/api/plain/a%20c", "/api/plain/{name}", 200),
        ("GET", "/acme/admin/people/ada", "/{tenant}/admin/people/{tenant}", 200),
        ("GET", "/secret/ada@example.com", "(unmatched)", 404),
        ("GET", "/api/orders/now/", "(unmatched)", 307),
    ],
)
async def test_the_template_is_noted_never_the_path(method: str, path: str, route: str, status: int) -> None:
    (note,) = await notes_of(shop(), (method, path))
    assert (note.method, note.route, note.status) == (method, route, status)


async def test_the_caller_is_noted_when_the_application_names_one() -> None:
    first, second = await notes_of(shop(), ("GET", "/api/orders/1/lines/3"), ("GET", "/orders-now"))
    assert first.caller == "ada"
    assert second.caller is None
    assert first.project is None


async def test_methods_are_of_a_closed_set() -> None:
    (note,) = await notes_of(shop(), ("PROPFIND", "/orders-now"))
    assert (note.method, note.status) == ("(other)", 405)


async def test_a_middleware_that_copies_the_scope_does_not_hide_the_route() -> None:
    class Copying:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app(dict(scope), receive, send)

    app = shop()
    app.add_middleware(Copying)
    (note,) = await notes_of(app, ("GET", "/api/orders/1/lines/3"))
    assert note.route == "/api/orders/{order}/lines/{line}"


async def test_health_docs_static_files_and_options_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "logo.txt").write_text("logo")
    app = shop()
    app.mount("/files", StaticFiles(directory=tmp_path))
    app.add_api_route("/health/live", lambda: "live")
    app.add_api_route("/healthy", lambda: "yes")
    notes = await notes_of(
        app,
        ("GET", "/health/live"),
        ("GET", "/metrics"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/files/logo.txt"),
        ("OPTIONS", "/orders-now"),
        ("GET", "/healthy"),
    )
    assert [note.route for note in notes] == ["/healthy"]


async def test_below_a_root_path_the_same_is_skipped_and_found() -> None:
    notes: list[ApiRequest] = []
    app = shop()
    app.add_middleware(ApiTrackingMiddleware, sink=notes.append)
    async with served(app, root_path="/shop") as server:
        for path in ("/docs", "/api/orders/now", "/acme/admin/people/ada"):
            assert (await server.client.get(path)).status_code == 200
    assert [note.route for note in notes] == ["/api/orders/now", "/{tenant}/admin/people/{tenant}"]


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


async def test_context_variables_are_those_of_the_application() -> None:
    current: ContextVar[str] = ContextVar("current", default="none")
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        current.set("of the application")
        await JSONResponse({})(scope, receive, send)

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        await ApiTrackingMiddleware(app, lambda note: None)(scope, receive, send)
        seen.append(current.get())

    async with served(outer) as server:
        await server.client.get("/")
    assert seen == ["of the application"]


async def test_its_own_failures_are_logged_once_and_break_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_note: ApiRequest) -> None:
        raise RuntimeError("the sink is broken")

    app = shop()
    app.add_middleware(ApiTrackingMiddleware, sink=broken)
    with caplog.at_level(logging.ERROR, "analytics_api.tracking.middleware"):
        async with served(app) as server:
            answers = [await server.client.get("/orders-now") for _ in range(3)]
    assert [answer.text for answer in answers] == ['"now"'] * 3
    (record,) = (record for record in caplog.records if record.name == "analytics_api.tracking.middleware")
    assert "the sink is broken" in str(record.exc_info)


async def test_other_scopes_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing() -> dict[str, str]:
        raise AssertionError("not asked")

    notes: list[ApiRequest] = []
    middleware = ApiTrackingMiddleware(app, notes.append)
    for kind in ("lifespan", "websocket"):
        await middleware({"type": kind}, nothing, lambda message: asyncio.sleep(0))
    assert seen == ["lifespan", "websocket"]
    assert notes == []
