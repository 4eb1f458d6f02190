"""The middleware around applications of all kinds, behind a real server: what it notes, and that it changes nothing."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from analytics_api.domain.api_request import ApiRequest
from analytics_api.tracking import ApiTrackingMiddleware
from tests.support.serving import served


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
