"""Whatever is mixed in the log: exactly what is past retention goes, figures stay, and a killed run is gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.reader import RollupReader
from analytics_api.aggregate.rebuild import rebuild_project
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.domain.retention import Periods
from analytics_api.privacy.retention import apply_retention
from analytics_api.store.engine import Database
from analytics_api.store.retention_periods import save_periods
from analytics_api.store.retention_states import find_state
from tests.support.children import starting
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database, write_events

NOW = datetime(2026, 4, 10, 3, 30, tzinfo=UTC)
LATE_DAYS = 7
TYPES = ("page_view", "signup_completed", "payment_completed", "api_request")
ZONES = ("UTC", "America/St_Johns", "Europe/Berlin")

item = st.fixed_dictionaries(
    {
        "event_type": st.sampled_from(TYPES),
        "person": st.sampled_from(["a", "b", "c", None]),
        "hours": st.integers(0, 75 * 24),
        # Most arrive at once, some as history.
        "delay_hours": st.just(0) | st.just(0) | st.integers(0, 75 * 24),
    }
)
period = st.integers(8, 80)


@dataclass(frozen=True)
class Plan:
    """A project with what it decides and what it has sent."""

    zone: str
    days: int | None
    event_types: dict[str, int]
    items: Sequence[dict[str, Any]]


plans = st.builds(
    Plan,
    st.sampled_from(ZONES),
    st.none() | period,
    st.dictionaries(st.sampled_from(TYPES), period, max_size=2),
    st.lists(item, min_size=1, max_size=25),
)


def build(project: Project, plan: Plan) -> list[NewEvent]:
    return [
        make_event(
            project,
            each["event_type"],
            user_id=each["person"],
            event_id=f"{project.slug}-{number}",
            occurred_at=(at := NOW - timedelta(hours=each["hours"])),
            received_at=min(NOW, at + timedelta(hours=each["delay_hours"])),
            revenue="5" if each["event_type"] == "payment_completed" else None,
        )
        for number, each in enumerate(plan.items)
    ]


def is_past(event: NewEvent, project: Project, plan: Plan, default_days: int) -> bool:
    """By the words of the documentation: time and arrival before the first day that is kept."""
    days = plan.event_types.get(event.event_type, plan.days)
    today = NOW.astimezone(project.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    kept_from = (today - timedelta(days=days or default_days)).replace(tzinfo=project.zone).astimezone(UTC)
    if days is None:
        following = (event.occurred_at.replace(day=1) + timedelta(days=32)).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        if following > kept_from:
            return False
    return max(event.occurred_at, event.received_at) < kept_from


async def figures(database: Database, project: Project) -> list[tuple[Any, ...]]:
    rows = await database.pool.fetch(
        """
        SELECT metric_type, period, metric_date, value, numerator, denominator FROM aggregated_metrics
        WHERE project_id = $1 ORDER BY 1, 2, 3
        """,
        project.id,
    )
    return [tuple(row) for row in rows]


async def count_and_close(database: Database) -> None:
    reader = RollupReader(database, "reader")
    await reader.run_once()
    await reader.disconnect()
    await close_due_days(database, NOW, late_days=LATE_DAYS)


async def play(url: str, mixture: Sequence[Plan], default_days: int, events_per_step: int) -> None:
    async with open_database(url) as database:
        await _forget_projects(database)
        projects = [
            await make_project(database, f"p{uuid4().hex[:12]}", time_zone=plan.zone) for plan in mixture
        ]
        sent = [build(project, plan) for project, plan in zip(projects, mixture, strict=True)]
        for project, plan, events in zip(projects, mixture, sent, strict=True):
            await write_events(database, events)
            async with database.acquire() as connection:
                await save_periods(connection, project.id, Periods(plan.days, plan.event_types), NOW)
        await count_and_close(database)
        before = [await figures(database, project) for project in projects]
        report = await apply_retention(
            database,
            NOW,
            retention_days=default_days,
            dedupe_days=30,
            rest=0,
            events_per_step=events_per_step,
        )
        assert report.blocked == {}
        left = {row["event_id"] for row in await database.pool.fetch("SELECT event_id FROM events")}
        assert left == {
            event.event_id
            for project, plan, events in zip(projects, mixture, sent, strict=True)
            for event in events
            if not is_past(event, project, plan, default_days)
        }
        for project in projects:
            if await database.pool.fetchval(
                "SELECT EXISTS (SELECT 1 FROM events WHERE project_id = $1)", project.id
            ):
                await rebuild_project(database, project, "rebuild", first_step=_nothing, clock=lambda: NOW)
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        for project, was in zip(projects, before, strict=True):
            assert await figures(database, project) == was


async def _nothing(*_: object, **__: object) -> None:
    """A rebuild with a first step does not mind when all days are sealed."""


async def _forget_projects(database: Database) -> None:
    """Of examples before; closing looks at all."""
    for table in (
        "readers",
        "project_days",
        "event_days",
        "event_groups",
        "partition_ranges",
        "events",
        "projects",
    ):
        await database.pool.execute(f"TRUNCATE {table}")


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mixture=st.lists(plans, min_size=1, max_size=3),
    default_days=st.integers(8, 80),
    events_per_step=st.sampled_from([1, 3, 1000]),
)
def test_exactly_what_is_past_retention_goes_and_figures_stay(
    database_url: str, mixture: list[Plan], default_days: int, events_per_step: int
) -> None:
    in_thread(play(database_url, mixture, default_days, events_per_step))


async def test_a_run_that_is_killed_between_two_steps_is_gone_on_with(database_url: str) -> None:
    async with open_database(database_url) as database:
        project = await make_project(database)
        old = NOW - timedelta(days=32)
        events = [
            make_event(
                project, "noise", user_id=f"u{number}", occurred_at=old + timedelta(seconds=number % 20)
            )
            for number in range(400)
        ]
        await write_events(database, [*events, make_event(project, "kept", occurred_at=old)])
        async with database.acquire() as connection:
            await save_periods(connection, project.id, Periods(event_types={"noise": 30}), NOW)
        await count_and_close(database)
        before = await figures(database, project)
        count = "SELECT count(*) FROM events WHERE event_type = 'noise'"
        async with starting() as start, asyncio.timeout(60):
            child = await start("tests.support.retention_process", database_url, NOW.isoformat())
            while (left := await database.pool.fetchval(count)) == 400:
                await asyncio.sleep(0.01)
            child.process.kill()
            await child.end()
        left = await database.pool.fetchval(count)
        assert 0 < left < 400
        async with database.acquire() as connection:
            state = await find_state(connection, project.id)
        assert state is not None
        assert (state.events, state.finished_at) == (400 - left, None), "counted with what was removed"
        report = await apply_retention(database, NOW, retention_days=365, dedupe_days=30, rest=0)
        assert (report.events, report.blocked) == (left, {})
        assert await database.pool.fetchval("SELECT count(*) FROM events") == 1
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        assert await figures(database, project) == before
