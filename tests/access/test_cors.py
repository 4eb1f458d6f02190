"""Pages of any origin may send events, and read nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from analytics_api.access.cors import REQUEST_HEADERS, IntakeCors
from tests.support.serving import Served, served

PAGE = {"Origin": "https://shop.example"}


async def _events(request: Request) -> Response:
    if request.method == "GET":
        return PlainTextResponse("events")
    if request.query_params:
        return PlainTextResponse("full", 503, headers={"Retry-After": "1", "Vary": "Accept"})
    return PlainTextResponse("taken", 202)


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    routes = [
        Route("/events", _events, methods=["POST"]),
        Route("/figures", _events, methods=["GET", "POST"]),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(IntakeCors, paths=("/events",))])
    async with served(app) as server:
        yield server


def words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(",")}


@pytest.mark.parametrize("header", REQUEST_HEADERS)
async def test_a_preflight_allows_each_header_that_senders_use(server: Served, header: str) -> None:
    asked = {
        **PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": header.lower(),
    }
    response = await server.client.options("/events", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "POST"
    assert header.lower() in words(response.headers["access-control-allow-headers"])
    assert int(response.headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    "asked",
    [
        {"Access-Control-Request-Method": "DELETE"},
        {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "cookie"},
    ],
)
async def test_a_preflight_refuses_what_no_sender_needs(server: Served, asked: dict[str, str]) -> None:
    response = await server.client.options("/events", headers={**PAGE, **asked})
    assert response.status_code == 400


@pytest.mark.parametrize(("query", "status"), [("", 202), ("?full=1", 503)])
async def test_answers_and_errors_can_be_read_by_the_page(server: Served, query: str, status: int) -> None:
    response = await server.client.post(f"/events{query}", headers=PAGE)
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == "*"
    assert "origin" in words(response.headers["vary"])
    assert words(response.headers["access-control-expose-headers"]) == {"retry-after", "x-request-id"}
    if query:
        assert "accept" in words(response.headers["vary"])


async def test_senders_that_are_no_pages_get_no_such_headers(server: Served) -> None:
    response = await server.client.post("/events")
    assert "access-control-allow-origin" not in response.headers


async def test_other_paths_stay_closed(server: Served) -> None:
    asked = {**PAGE, "Access-Control-Request-Method": "POST"}
    preflight = await server.client.options("/figures", headers=asked)
    assert preflight.status_code == 405
    for response in (preflight, await server.client.get("/figures", headers=PAGE)):
        assert not [name for name in response.headers if name.startswith("access-control")]
