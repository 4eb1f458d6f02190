"""Probes without prefix: /health/live, /health/ready, and /metrics for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from analytics_api import telemetry
from analytics_api.access.authenticator import Authenticator, require
from analytics_api.access.caller import Right
from analytics_api.access.local import is_local
from analytics_api.errors import Unavailable
from analytics_api.routes import Routes
from analytics_api.store import readers
from analytics_api.store.engine import Database
from analytics_api.store.migrate import applied_revisions, newest_revision

CHECK_SECONDS = 3.0
"""A part that takes longer to answer is not ready. Give the probe a longer timeout, to be told which part it was."""

router = Routes(tags=["operation"])


@router.get("/health/live", summary="Whether the process is up")
async def live() -> dict[str, str]:
    """Answers as long as the process can answer at all: restart it when it does not."""
    return {"status": "live"}


@router.get("/health/ready", summary="Whether events can be taken and figures given", responses={503: {}})
async def ready(request: Request) -> JSONResponse:
    """200 when the database answers, its schema is the newest and the writer runs; else 503, naming what is missing.

    `degraded` lists what does not go on behind a healthy intake: readers that fail or are paused. Alert on it; a restart does
    not mend it.
    """
    missing = await asyncio.gather(*(_missing(check, request.app.state) for check in CHECKS.values()))
    checks = {
        name: {"ok": reason is None} if reason is None else {"ok": False, "detail": reason}
        for name, reason in zip(CHECKS, missing, strict=True)
    }
    wrong = [f"{name}: {reason}" for name, reason in zip(CHECKS, missing, strict=True) if reason is not None]
    if wrong:
        raise Unavailable(f"Not ready. {'; '.join(wrong)}.", retry_after=2, checks=checks)
    answer = {"status": "ready", "checks": checks, "degraded": await _degraded(request.app.state.database)}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters of this process: no event, no person, no address.

    Open to callers on this machine without a proxy in between; others send a read or an admin key of any project,
    because the counters belong to none.
    """
    if not is_local(request):
        authenticator: Authenticator = request.app.state.authenticator
        require(await authenticator.caller(request), Right.READ)
    return Response(telemetry.render(), media_type=telemetry.CONTENT_TYPE)


async def _degraded(database: Database) -> list[str]:
    # Without names of projects and words of providers: probes are open to everybody.
    async with database.acquire() as connection:
        troubles = await readers.troubles(connection)
    told = [f"{name} fails (projects: {count})" for name, count in troubles.failing.items()]
    told += [f"{name} is paused (projects: {count})" for name, count in troubles.paused.items()]
    if troubles.set_aside:
        told.append(f"{troubles.set_aside} events could not be counted and are set aside")
    return told


async def _missing(check: Callable[[Any], Awaitable[str | None]], state: Any) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check(state)
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:.0f} s"
    except Exception as error:
        # Without its words, which may name hosts and users: probes are open to everybody.
        return f"cannot be reached ({type(error).__name__})"


async def _check_database(state: Any) -> str | None:
    database: Database = state.database
    async with database.acquire() as connection:
        await connection.fetchval("SELECT 1")
    return None


async def _check_migrations(state: Any) -> str | None:
    database: Database = state.database
    async with database.acquire() as connection:
        applied = await applied_revisions(connection)
    if not applied:
        return "the database has no tables; run analytics-api migrate"
    if applied != {newest_revision()}:
        return "the schema is not that of this version; run analytics-api migrate"
    return None


async def _check_writer(state: Any) -> str | None:
    return None if state.writer.alive else "the task that writes events has ended; restart the process"


CHECKS: dict[str, Callable[[Any], Awaitable[str | None]]] = {
    "database": _check_database,
    "migrations": _check_migrations,
    "writer": _check_writer,
}
"""Every part that must be there; each check returns what is wrong, or none."""
