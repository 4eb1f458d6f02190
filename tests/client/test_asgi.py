"""The ASGI middleware behind a real server: what it notes, and that it changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from analytics_client.asgi import AnalyticsMiddleware
from analytics_client.testing import RecordingClient
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from tests.support.serving import served, until


def shop() -> FastAPI:
    app = FastAPI()
    router = APIRouter(prefix="/orders")

    @router.get("/{order}/lines/{line:int}")
    async def line(order: str, line: int) -> str:
        return order

    @router.get("/now")
    async def now() -> str:
        return "now"

    async def plain(_request: Request) -> Response:
        return PlainTextResponse("plain")

    @app.get("/files/{path:path}")
    async def file(path: str) -> str:
        return path

    @app.post("/people")
    async def people(age: int) -> int:
        return age

    @app.get("/broken")
    async def broken() -> None:
        raise KeyError("secret")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            for number in range(3):
                yield str(number)

        return StreamingResponse(pieces())

    app.include_router(router, prefix="/{tenant}")
    app.mount("/{tenant}/admin", Starlette(routes=[Route("/people/{who}", plain)]))
    app.mount("/raw", plain_app)
    return app


async def plain_app(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("raw")(scope, receive, send)


async def notes(app: Any, *requests: tuple[str, str], **options: Any) -> list[dict[str, Any]]:
    client = RecordingClient()
    async with served(AnalyticsMiddleware(app, client, **options)) as running:
        for method, path in requests:
            await running.client.request(method, path)
    return [event["event_data"] for event in client.events]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/acme/orders/7/lines/3", "/{tenant}/orders/{order}/lines/{line}"),
        ("/acme/orders/now", "/{tenant}/orders/now"),
        ("/acme/admin/people/ada", "/{tenant}/admin/people/{who}"),
        ("/files/a/b/c.txt", "/files/{path}"),
        ("/raw/ada/7", "/raw/{path}"),
        ("/broken", "/broken"),
        ("/wp-login.php", "(unmatched)"),
    ],
)
async def test_routes_are_named_by_their_templates(path: str, route: str) -> None:
    (note,) = await notes(shop(), ("GET", path))
    assert note["route"] == route


async def test_exceptions_and_refused_fields_are_counted_without_their_values() -> None:
    broken, refused = await notes(shop(), ("GET", "/broken"), ("POST", "/people?age=ada@example.org"))
    assert (broken["status"], broken["exception"]) == (500, "KeyError")
    assert (refused["status"], refused["errors"]) == (422, ["query.age: int_parsing"])
    assert "example.org" not in str(refused)


async def test_excluded_are_health_files_and_preflights() -> None:
    assert await notes(shop(), ("GET", "/health"), ("GET", "/static/a.js"), ("OPTIONS", "/stream")) == []
    assert await notes(shop(), ("GET", "/stream"), exclude=("/stream",)) == []


async def test_the_hook_names_the_user_and_adds_data() -> None:
    client = RecordingClient()
    app = AnalyticsMiddleware(
        shop(), client, describe=lambda scope: {"user_id": 7, "caller": scope["method"]}
    )
    async with served(app) as running:
        assert (await running.client.get("/stream")).text == "012"
    (event,) = client.events
    assert event["user_id"] == "7"
    assert event["event_data"]["caller"] == "GET"
    assert event["event_data"]["duration_ms"] > 0


async def test_a_hook_that_fails_harms_nobody() -> None:
    assert await notes(shop(), ("GET", "/stream"), describe=lambda _scope: 1 / 0) == []


async def test_a_client_that_hangs_up_is_499() -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Response:
        entered.set()
        await go_on.wait()
        return PlainTextResponse("late")

    client = RecordingClient()
    app = AnalyticsMiddleware(Starlette(routes=[Mount("/v1", routes=[Route("/slow", slow)])]), client)
    async with served(app) as running:
        _, writer = await running.connect()
        writer.write(b"GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await entered.wait()
        writer.close()
        await asyncio.sleep(0.05)
        go_on.set()
        await until(lambda: bool(client.events))
    assert client.events[0]["event_data"]["status"] == 499
    assert client.events[0]["event_data"]["route"] == "/v1/slow"


async def test_sums_instead_of_single_events() -> None:
    client = RecordingClient()
    app = AnalyticsMiddleware(shop(), client, aggregate_seconds=3600)
    async with served(app) as running:
        for path in ("/a/orders/now", "/b/orders/now", "/broken"):
            await running.client.get(path)
    assert client.events == []

    async def lifespan() -> dict[str, str]:
        return {"type": "lifespan.shutdown"}

    async def ends(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()

    async def ignore(_message: Any) -> None:
        return

    app.app = ends
    await app({"type": "lifespan"}, lifespan, ignore)
    sums = {event["event_data"]["route"]: event["event_data"] for event in client.of_type("api_requests")}
    assert {route: data["count"] for route, data in sums.items()} == {
        "/{tenant}/orders/now": 2,
        "/broken": 1,
    }


async def test_sampling() -> None:
    found = await notes(shop(), *[("GET", "/stream")] * 60, sample=0.5)
    assert 5 < len(found) < 55
    assert {note["sample_rate"] for note in found} == {0.5}


@pytest.mark.parametrize(("option", "value"), [("sample", 0), ("sample", 1.1), ("aggregate_seconds", 0)])
def test_options_that_cannot_be_meant(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{option} is {value}"):
        AnalyticsMiddleware(plain_app, RecordingClient(), **{option: value})  # type: ignore[arg-type]
