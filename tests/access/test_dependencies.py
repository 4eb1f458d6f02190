"""Rights over HTTP: what a route asks for and what its caller gets to hear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI

from analytics_api import problems
from analytics_api.access.authenticator import Authenticator
from analytics_api.access.dependencies import AdminCaller, DatabaseOf, ReadCaller, Sender, TrustedSender
from analytics_api.access.rate_limits import RateLimits
from analytics_api.domain.api_request import ApiRequest
from analytics_api.domain.project import KeyKind
from analytics_api.store.engine import Database
from analytics_api.store.keys import create_key
from analytics_api.tracking import ApiTrackingMiddleware
from tests.support.events import make_project, open_database
from tests.support.serving import Served, served

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

NOTES = list[ApiRequest]


def guarded_app(database: Database, *, sandbox: bool, notes: NOTES) -> FastAPI:
    """A route for each right."""
    app = FastAPI()
    app.state.database = database
    app.state.authenticator = Authenticator(database, open_on_loopback=sandbox)
    app.state.rates = RateLimits()

    @app.post("/send")
    async def send(caller: Sender) -> str:
        return caller.name

    @app.post("/trusted")
    async def trusted(caller: TrustedSender) -> str:
        return caller.name

    @app.get("/read")
    async def read(caller: ReadCaller, opened: DatabaseOf) -> bool:
        return opened is database

    @app.post("/admin")
    async def admin(caller: AdminCaller) -> str:
        return caller.name

    app.add_middleware(ApiTrackingMiddleware, sink=notes.append)
    problems.install(app)
    return app


@pytest.fixture
def notes() -> NOTES:
    return []


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        await make_project(database)
        yield database


@pytest.fixture
async def guarded(database: Database, notes: NOTES) -> AsyncIterator[Served]:
    async with served(guarded_app(database, sandbox=False, notes=notes)) as server:
        yield server


@pytest.fixture
async def sandbox(database: Database, notes: NOTES) -> AsyncIterator[Served]:
    async with served(guarded_app(database, sandbox=True, notes=notes)) as server:
        yield server


async def statuses(server: Served, headers: dict[str, str]) -> dict[str, int]:
    calls = {"send": "POST", "trusted": "POST", "read": "GET", "admin": "POST"}
    return {
        path: (await server.client.request(method, f"/{path}", headers=headers)).status_code
        for path, method in calls.items()
    }


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        (KeyKind.WRITE, {"send"}),
        (KeyKind.SERVER, {"send", "trusted"}),
        (KeyKind.READ, {"read"}),
        (KeyKind.ADMIN, {"send", "trusted", "read", "admin"}),
    ],
)
async def test_each_kind_of_key_reaches_its_routes_and_no_others(
    database: Database, guarded: Served, notes: NOTES, kind: KeyKind, allowed: set[str]
) -> None:
    async with database.write() as session:
        project = await make_project(database)
        key = await create_key(session, project.id, kind, now=NOW)
    answered = await statuses(guarded, {"Authorization": f"Bearer {key}"})
    assert answered == {path: 200 if path in allowed else 403 for path in answered}
    # Those that were denied are known by name, too.
    assert {(note.caller, note.project) for note in notes} == {(f"{kind.value}:1", project)}


async def test_without_a_key_every_route_is_closed_and_says_what_to_send(
    guarded: Served, notes: NOTES
) -> None:
    assert set((await statuses(guarded, {})).values()) == {401}
    response = await guarded.client.get("/read")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer KEY" in response.json()["detail"]
    assert {note.caller for note in notes} == {None}


async def test_another_project_than_the_keys_is_forbidden(database: Database, guarded: Served) -> None:
    project = await make_project(database)
    await make_project(database, "other")
    async with database.write() as session:
        key = await create_key(session, project.id, KeyKind.READ, now=NOW)
    headers = {"X-API-Key": key}
    own = await guarded.client.get("/read", headers=headers, params={"project": "default"})
    other = await guarded.client.get("/read", headers=headers, params={"project": "other"})
    assert (own.status_code, other.status_code) == (200, 403)


async def test_the_sandbox_is_open_over_a_real_socket_and_closed_to_rebound_names_and_proxies(
    sandbox: Served,
) -> None:
    assert set((await statuses(sandbox, {})).values()) == {200}
    assert set((await statuses(sandbox, {"Host": "evil.example"})).values()) == {401}
    assert set((await statuses(sandbox, {"X-Forwarded-For": "127.0.0.1"})).values()) == {401}
    assert await statuses(sandbox, {"Origin": "https://evil.example"}) == {
        "send": 200,
        "trusted": 403,
        "read": 403,
        "admin": 403,
    }


async def test_an_unknown_project_is_not_found_in_the_sandbox(sandbox: Served) -> None:
    response = await sandbox.client.get("/read", params={"project": "no-such"})
    assert response.status_code == 404
    assert response.json()["detail"] == "There is no project 'no-such'."


async def test_openapi_names_both_ways_to_send_a_key(guarded: Served) -> None:
    schema = (await guarded.client.get("/openapi.json")).json()
    assert schema["components"]["securitySchemes"]["header"]["name"] == "X-API-Key"
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert {"bearer": []} in schema["paths"]["/read"]["get"]["security"]
