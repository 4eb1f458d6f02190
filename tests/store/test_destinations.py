"""Where a new destination starts in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.domain.project import Project
from analytics_api.store.destinations import position_before
from analytics_api.store.engine import Database
from analytics_api.store.log import safe_position
from tests.support.events import NOW, make_event, make_project, open_database, write_events


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def arrivals_after(database: Database, project: Project, position: int) -> list[float]:
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT received_at FROM events WHERE project_id = $1 AND seq > $2 ORDER BY seq",
            project.id,
            position,
        )
    return [(row["received_at"] - NOW).total_seconds() for row in rows]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(st.integers(0, 4_000), min_size=1, max_size=30),
    jitter=st.lists(st.integers(-60, 60), min_size=30, max_size=30),
    at=st.integers(-100, 130_000),
)
async def test_all_that_arrived_later_is_behind_it_and_the_one_before_it_is_not(
    database: Database, gaps: list[int], jitter: list[int], at: int
) -> None:
    """Arrivals nearly in the order of the log, another project's in between."""
    async with database.acquire() as connection:
        number = await connection.fetchval("SELECT count(*) FROM projects")
    project = await make_project(database, f"p{number}")
    other = await make_project(database, "other")
    seconds, arrivals = 0, []
    for gap, shift in zip(gaps, jitter, strict=False):
        seconds += gap
        arrivals.append(seconds + shift)
    events = [
        make_event(owner, received_at=NOW + timedelta(seconds=moment))
        for moment in arrivals
        for owner in (project, other)
    ]
    await write_events(database, events)
    async with database.acquire() as connection:
        safe = await safe_position(connection)
        position = await position_before(connection, project.id, NOW + timedelta(seconds=at), safe)
    expected = next((arrivals[n:] for n, moment in enumerate(arrivals) if moment >= at), [])
    assert await arrivals_after(database, project, position) == expected


async def test_an_empty_log(database: Database) -> None:
    project = await make_project(database)
    async with database.acquire() as connection:
        assert await position_before(connection, project.id, NOW, 0) == 0
