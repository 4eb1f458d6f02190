"""Probes: alive, ready or what is missing, and metrics for those who may have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from analytics_api import health, problems, telemetry
from analytics_api.access.authenticator import Authenticator
from analytics_api.domain.project import KeyKind
from analytics_api.ingest.writer import Writer
from analytics_api.store.engine import Database
from analytics_api.store.keys import create_key
from analytics_api.store.partitions import Partitions
from tests.support.events import NOW, make_project, open_database
from tests.support.serving import Served, served


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[tuple[Served, FastAPI]]:
    """The probes over a database, with a writer at work."""
    async with open_database(url) as database:
        app = FastAPI()
        app.state.database = database
        app.state.authenticator = Authenticator(database, open_on_loopback=False)
        app.state.writer = Writer(database, Partitions(), queue_bytes=1_000_000)
        app.state.writer.start()
        health.router.put_into(app)
        problems.install(app)
        try:
            async with served(app) as server:
                yield server, app
        finally:
            await app.state.writer.close()


def checks(response: httpx.Response) -> dict[str, Any]:
    answer: dict[str, Any] = response.json()["checks"]
    return answer


async def test_a_complete_server_is_live_and_ready(database_url: str) -> None:
    async with serving(database_url) as (server, _):
        assert (await server.client.get("/health/live")).json() == {"status": "live"}
        response = await server.client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    assert checks(response) == {name: {"ok": True} for name in ("database", "migrations", "writer")}
    assert response.headers["cache-control"] == "no-store"


async def test_readers_that_do_not_get_on_are_told_of_and_stop_no_intake(database_url: str) -> None:
    async with serving(database_url) as (server, app):
        assert (await server.client.get("/health/ready")).json()["degraded"] == []
        pool = app.state.database.pool
        await pool.execute(
            "INSERT INTO readers (project_id, name, position, updated_at, failures) VALUES (1, 'rollups', 0, now(), 3)"
        )
        response = await server.client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["degraded"] == ["rollups fails (projects: 1)"]


async def test_a_database_without_tables_is_not_ready_and_says_what_to_do(empty_database_url: str) -> None:
    async with serving(empty_database_url) as (server, _):
        response = await server.client.get("/health/ready")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    assert checks(response)["database"] == {"ok": True}
    assert "analytics-api migrate" in checks(response)["migrations"]["detail"]
    assert "migrations: the database has no tables" in response.json()["detail"]


async def test_a_schema_of_another_version_is_not_ready(database_url: str) -> None:
    async with serving(database_url) as (server, app):
        async with app.state.database.acquire() as connection:
            await connection.execute("UPDATE alembic_version SET version_num = 'from_tomorrow'")
        response = await server.client.get("/health/ready")
    assert response.status_code == 503
    assert "not that of this version" in checks(response)["migrations"]["detail"]


async def test_a_dead_writer_is_not_ready(database_url: str) -> None:
    async with serving(database_url) as (server, app):
        await app.state.writer.close()
        response = await server.client.get("/health/ready")
        assert (await server.client.get("/health/live")).status_code == 200
    assert response.status_code == 503
    assert checks(response)["writer"]["ok"] is False


async def test_a_database_that_has_gone_is_named_without_its_address(database_url: str) -> None:
    async with serving(database_url) as (server, app):
        database: Database = app.state.database
        # As after its server has ended: connections break and no new ones are to be had.
        control = await asyncpg.connect(**database.asyncpg_arguments() | {"database": "postgres"})
        name = database.url.database
        try:
            await control.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await control.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
            )
            response = await server.client.get("/health/ready")
            assert (await server.client.get("/health/live")).status_code == 200
        finally:
            await control.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            await control.close()
        assert response.status_code == 503
        assert checks(response)["database"]["ok"] is False
        assert str(name) not in response.text
        # And it is ready again by itself.
        assert (await server.client.get("/health/ready")).status_code == 200


async def test_a_database_that_does_not_answer_is_given_up(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    async with serving(database_url) as (server, app):
        pool = app.state.database.pool
        taken = await asyncio.gather(*(pool.acquire() for _ in range(pool.get_max_size())))
        response = await server.client.get("/health/ready")
        for connection in taken:
            await pool.release(connection)
    assert response.status_code == 503
    assert "no answer within" in checks(response)["database"]["detail"]


async def test_metrics_are_open_on_this_machine(database_url: str) -> None:
    telemetry.count_events("accepted", 2)
    async with serving(database_url) as (server, _):
        response = await server.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in text_string_to_metric_families(response.text)}
    assert {"analytics_events", "analytics_intake_queue_bytes", "analytics_process_open_fds"} <= names


async def test_metrics_are_for_key_holders_elsewhere(database_url: str) -> None:
    async with serving(database_url) as (server, app):
        project = await make_project(app.state.database)
        async with app.state.database.write() as session:
            keys = {kind: await create_key(session, project.id, kind, now=NOW) for kind in KeyKind}
        elsewhere = {"Host": "stats.example"}
        without = await server.client.get("/metrics", headers=elsewhere)
        answers = {
            kind: (await server.client.get("/metrics", headers={**elsewhere, "X-API-Key": key})).status_code
            for kind, key in keys.items()
        }
    assert without.status_code == 401
    assert answers == {KeyKind.WRITE: 403, KeyKind.SERVER: 403, KeyKind.READ: 200, KeyKind.ADMIN: 200}
