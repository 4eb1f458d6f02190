"""Every error is a problem document with the field and the fix, and every response has its request id."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse

from analytics_api import problems, telemetry
from analytics_api.access.cors import IntakeCors
from analytics_api.domain.api_request import ApiRequest
from analytics_api.errors import ConfigurationError, Forbidden, Unauthorized, Unavailable
from analytics_api.store.engine import Database
from analytics_api.tracking import ApiTrackingMiddleware
from tests.support.events import open_database
from tests.support.serving import Served, served

SECRET = "hunter2"


class Order(BaseModel):
    """A body."""

    model_config = ConfigDict(extra="forbid")
    lines: list[int]
    password: Annotated[str, Field(max_length=3)] = ""


def failing_app(notes: list[ApiRequest]) -> FastAPI:
    """An application with a route for each way to fail, and the middleware of the product."""
    app = FastAPI()

    @app.get("/figures")
    async def figures(start_date: date, period: Annotated[str, Query(pattern="^(daily|weekly)$")]) -> str:
        return f"{start_date} {period}"

    @app.get("/orders")
    async def list_orders() -> None:
        return None

    @app.post("/orders")
    async def orders(order: Order, x_count: Annotated[int | None, Header()] = None) -> str:
        logging.getLogger("analytics_api.test").info("taking an order")
        return f"{order.lines} {x_count}"

    @app.api_route("/raise/{name}", methods=["GET", "POST"])
    async def fail(name: str) -> str:
        errors: dict[str, Exception] = {
            "forbidden": Forbidden(),
            "unauthorized": Unauthorized(headers={"WWW-Authenticate": "Bearer"}),
            "unavailable": Unavailable("Full.", retry_after=7),
            "configuration": ConfigurationError(f"db.internal refuses {SECRET}"),
            "teapot": HTTPException(418, "Short and stout.", headers={"X-Pot": "tea"}),
            "unexpected": ValueError(f"the value is {SECRET}"),
            "refused": ConnectionRefusedError("db.internal:5432"),
            "gone": asyncpg.ConnectionDoesNotExistError("connection was closed"),
            "no_socket": FileNotFoundError("/run/db.internal/.s.PGSQL.5432"),
            "no_rights": PermissionError("/srv/db.internal/pages"),
            "no_write": asyncpg.PostgresIOError("could not write block 7 of db.internal"),
            "broken": asyncpg.InternalServerError("xlog flush request of db.internal is not satisfied"),
        }
        raise errors[name]

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            raise ValueError(SECRET)

        return StreamingResponse(parts())

    @app.get("/after")
    async def after() -> PlainTextResponse:
        async def later() -> None:
            raise ValueError("after the response")

        return PlainTextResponse("sent", background=BackgroundTask(later))

    app.add_middleware(ApiTrackingMiddleware, sink=notes.append)
    app.add_middleware(IntakeCors, paths=("/orders", "/raise/unexpected"))
    problems.install(app)
    return app


@pytest.fixture
def notes() -> list[ApiRequest]:
    return []


@pytest.fixture
async def server(notes: list[ApiRequest]) -> AsyncIterator[Served]:
    async with served(failing_app(notes)) as server:
        yield server


def problem(response: httpx.Response) -> dict[str, Any]:
    """The problem document of a response, after checking what RFC 9457 asks of all of them."""
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == response.status_code
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    return document


async def test_a_query_names_each_wrong_field_and_what_would_be_right(server: Served) -> None:
    document = problem(await server.client.get("/figures", params={"start_date": "hunter2"}))
    assert document["status"] == 422
    assert [error["field"] for error in document["errors"]] == ["start_date", "period"]
    assert "valid date" in document["errors"][0]["message"]
    assert document["errors"][1]["message"] == "is required"
    assert "period: is required" in document["detail"]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b'{"lines": [1, "hunter2"]}', "lines.1", "input should be a valid integer"),
        (b'{"lines": [], "password": "hunter2"}', "password", "should have at most 3 characters"),
        (b'{"lines": [], "colour": "hunter2"}', "colour", "leave it out"),
        (b'{"lines": "hunter2', "body", "is not JSON"),
        (b"", "body", "is required"),
    ],
)
async def test_a_body_names_the_field_and_never_its_value(
    server: Served, body: bytes, field: str, message: str
) -> None:
    response = await server.client.post("/orders", content=body, headers={"Content-Type": "application/json"})
    document = problem(response)
    assert document["errors"][0]["field"] == field
    assert message in document["errors"][0]["message"]
    assert SECRET not in response.text


async def test_json_under_another_name_is_told_so(server: Served) -> None:
    """What `curl -d` sends."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    document = problem(await server.client.post("/orders", content=b'{"lines": []}', headers=headers))
    assert document["detail"] == "body: is not sent as JSON; add the header Content-Type: application/json."


async def test_a_header_is_named_too(server: Served) -> None:
    response = await server.client.post("/orders", json={"lines": []}, headers={"X-Count": "hunter2"})
    assert problem(response)["errors"][0]["field"] == "x-count"
    assert SECRET not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "detail", "header"),
    [
        ("GET", "/nowhere/hunter2", 404, "nothing at this path", None),
        ("DELETE", "/orders", 405, "DELETE is not possible here; use GET, POST.", ("allow", "GET, POST")),
        ("GET", "/raise/forbidden", 403, "may not do that", None),
        ("GET", "/raise/unauthorized", 401, "API key or a login is needed", ("www-authenticate", "Bearer")),
        ("GET", "/raise/unavailable", 503, "Full.", ("retry-after", "7")),
        ("GET", "/raise/teapot", 418, "Short and stout.", ("x-pot", "tea")),
        ("GET", "/raise/refused", 503, "database is away", ("retry-after", "2")),
        ("GET", "/raise/gone", 503, "database is away", ("retry-after", "2")),
        ("GET", "/raise/no_socket", 503, "database is away", ("retry-after", "2")),
        ("GET", "/raise/no_write", 503, "database is away", ("retry-after", "2")),
        ("GET", "/raise/broken", 503, "database is away", ("retry-after", "2")),
    ],
)
async def test_known_errors_keep_their_status_words_and_headers(
    server: Served, method: str, path: str, status: int, detail: str, header: tuple[str, str] | None
) -> None:
    response = await server.client.request(method, path)
    assert problem(response)["status"] == status
    assert detail in response.json()["detail"]
    assert SECRET not in response.text
    assert "db.internal" not in response.text
    if header is not None:
        assert response.headers[header[0]] == header[1]


@pytest.mark.parametrize(("name", "traced"), [("no_rights", True), ("no_socket", False), ("refused", False)])
async def test_an_error_of_a_file_is_told_with_its_place(
    server: Served, caplog: pytest.LogCaptureFixture, name: str, traced: bool
) -> None:
    assert problem(await server.client.get(f"/raise/{name}"))["status"] == 503
    assert "the database could not answer" in caplog.text
    assert ("Traceback" in caplog.text) is traced


@pytest.mark.parametrize("name", ["unexpected", "configuration"])
async def test_what_nobody_expected_tells_the_log_and_not_the_client(
    server: Served, notes: list[ApiRequest], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    response = await server.client.get(f"/raise/{name}", headers={"X-Request-ID": "find-me"})
    document = problem(response)
    assert document["status"] == 500
    assert document["request_id"] == response.headers["x-request-id"] == "find-me"
    assert SECRET not in response.text
    assert SECRET in caplog.text
    assert "Traceback" in caplog.text
    assert [note.status for note in notes] == [500]


async def test_a_500_can_be_read_by_pages_of_other_origins(server: Served) -> None:
    response = await server.client.post("/raise/unexpected", headers={"Origin": "https://shop.example"})
    assert response.status_code == 500
    assert response.headers["access-control-allow-origin"] == "*"


async def test_a_response_that_breaks_off_is_cut_so_that_the_client_knows(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await server.client.get("/half")
    assert "Traceback" in caplog.text


async def test_work_after_a_response_fails_into_the_log(
    server: Served, notes: list[ApiRequest], caplog: pytest.LogCaptureFixture
) -> None:
    assert (await server.client.get("/after")).text == "sent"
    assert (await server.client.get("/after")).text == "sent"
    assert [note.status for note in notes] == [200, 200]
    assert "work after a response failed" in caplog.text


@pytest.mark.parametrize("path", ["/orders", "/nowhere", "/raise/unexpected"])
async def test_every_response_has_a_request_id(server: Served, path: str) -> None:
    ids = {(await server.client.get(path)).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    assert (await server.client.options("/orders", headers=preflight)).headers["x-request-id"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a-B.c_9", True), ("x" * 128, True), ("x" * 129, False), ("", False), ('a"b', False), ("a b", False)],
)
async def test_a_request_id_is_taken_over_if_it_is_harmless(server: Served, given: str, kept: bool) -> None:
    response = await server.client.get("/orders", headers={"X-Request-ID": given})
    assert (response.headers["x-request-id"] == given) is kept


async def test_log_lines_of_a_request_carry_its_id(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(telemetry.JsonFormatter())
    with caplog.at_level(logging.INFO, "analytics_api.test"):
        await server.client.post("/orders", json={"lines": []}, headers={"X-Request-ID": "order-1"})
    lines = [json.loads(line) for line in caplog.text.splitlines() if "taking an order" in line]
    assert [line["request_id"] for line in lines] == ["order-1"]
    assert telemetry.request_id.get() is None


async def test_the_databases_own_errors_are_told_apart(database_url: str) -> None:
    app = FastAPI()

    async with open_database(database_url) as database:

        @app.get("/slow")
        async def slow() -> None:
            async with database.read() as session:
                await session.execute(text("SET LOCAL statement_timeout = 10"))
                await session.execute(text("SELECT pg_sleep(10)"))

        @app.get("/wrong")
        async def wrong() -> None:
            async with database.read() as session:
                await session.execute(text("SELECT no_such_column"))

        @app.get("/killed")
        async def killed() -> None:
            async with database.read() as session:
                await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        @app.get("/away")
        async def away() -> None:
            nowhere = Database("postgresql://127.0.0.1:1/nowhere")
            async with nowhere.read():
                pass

        problems.install(app)
        async with served(app) as server:
            details = {
                path: problem(await server.client.get(path))
                for path in ("/slow", "/wrong", "/killed", "/away")
            }
    assert {path: document["status"] for path, document in details.items()} == {
        "/slow": 503,
        "/wrong": 500,
        "/killed": 503,
        "/away": 503,
    }
    assert "shorter period" in details["/slow"]["detail"]
