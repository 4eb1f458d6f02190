"""Rebuilding equals counting as events come, bit for bit, and equals a recount, whatever happened to the log and the rollups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.reader import RollupReader
from analytics_api.aggregate.rebuild import RebuildReport, rebuild_project
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.errors import Unprocessable
from analytics_api.privacy.retention import apply_retention
from analytics_api.store.engine import Database
from tests.aggregate.test_identity import START, USERS, build, deeds, race, words
from tests.support.databases import in_thread
from tests.support.events import make_project, open_database, write_events
from tests.support.figures import LATE_DAYS, at, event_on, payment_on, point, record, subscription_on
from tests.support.rollups import compare
from tests.support.who import who_is_who

ZONES = ["UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"]
NOW = START + timedelta(days=15)
TABLES = {
    "event_days": "TRUE",
    "person_days": "TRUE",
    "persons": "TRUE",
    "person_firsts": "TRUE",
    "sessions": "TRUE",
    "payments": "TRUE",
    "subscription_changes": "TRUE",
    "person_links": "TRUE",
    "person_merges": "TRUE",
    "last_active_days": "persons <> 0 OR persons_with_bots <> 0",
}
FIGURES = "metric_type, period, metric_date, value, numerator, denominator, state, definition_version, time_zone, details"

subscriptions = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            [
                "subscription_created",
                "subscription_upgraded",
                "subscription_cancelled",
                "subscription_renewed",
            ]
        ),
        "user": st.sampled_from(USERS),
        "device": st.none(),
        "minutes": st.integers(0, 3 * 24 * 60),
        "trusted": st.just(True),
        "properties": st.none(),
    }
)
histories = st.lists(deeds | words | subscriptions, min_size=1, max_size=30)


async def state(database: Database, project: Project) -> dict[str, Sequence[str]]:
    """Everything derived, as text, to be compared bit for bit."""
    found: dict[str, Sequence[str]] = {}
    for table, where in TABLES.items():
        rows = await database.pool.fetch(
            f"SELECT t::text FROM {table} t WHERE project_id = $1 AND ({where}) ORDER BY 1", project.id
        )
        found[table] = [row[0] for row in rows]
    rows = await database.pool.fetch(
        f"SELECT ({FIGURES})::text FROM aggregated_metrics WHERE project_id = $1 ORDER BY 1", project.id
    )
    return found | {"figures": [row[0] for row in rows]}


async def rebuild(database: Database, project: Project, **more: Any) -> RebuildReport:
    """In small steps."""
    return await rebuild_project(
        database, project, f"rebuild-{uuid4()}", persons_per_step=2, clock=lambda: NOW, **more
    )


async def count(database: Database, events: Sequence[NewEvent], cuts: Sequence[int], chunk: int) -> None:
    """Two readers race for every part, as it comes."""
    edges = sorted({0, *(cut % (len(events) + 1) for cut in cuts), len(events)})
    for start, end in pairwise(edges):
        await write_events(database, events[start:end])
        await race(database, chunk)


async def spoil(database: Database, project: Project, how: int) -> None:
    """Make rollups wrong in ways that nothing but the log can tell."""
    for number, statement in enumerate(
        (
            "UPDATE event_days SET events = events + 1 WHERE project_id = $1",
            "DELETE FROM person_days WHERE project_id = $1 AND events = 1",
            "UPDATE persons SET first_day = first_day - 3, properties = '{\"plan\": 1}' WHERE project_id = $1",
            "DELETE FROM sessions WHERE project_id = $1 AND events > 1",
            "DELETE FROM payments WHERE project_id = $1",
            "UPDATE subscription_changes SET mrr = 1 WHERE project_id = $1",
            "DELETE FROM person_links WHERE project_id = $1 AND known",
            "DELETE FROM person_merges WHERE project_id = $1",
            "DELETE FROM last_active_days WHERE project_id = $1",
            "DELETE FROM persons WHERE project_id = $1 AND user_id IS NULL",
            "UPDATE aggregated_metrics SET value = value + 1 WHERE project_id = $1",
            "UPDATE person_firsts SET first_at = first_at - interval '3 days' WHERE project_id = $1",
            "DELETE FROM person_firsts WHERE project_id = $1 AND event_type = 'page_view'",
        )
    ):
        if how & 1 << number:
            await database.pool.execute(statement, project.id)


async def play(
    url: str, items: Sequence[dict[str, Any]], zone: str, cuts: Sequence[int], chunk: int, how: int
) -> None:
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        events = build(project, items)
        await count(database, events, cuts, chunk)
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        before = await state(database, project)
        report = await rebuild(database, project)
        assert (report.different_links, report.different_days) == (0, set())
        assert await state(database, project) == before

        await spoil(database, project, how)
        await rebuild(database, project)
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        assert await state(database, project) == before
        await compare(database, project, events, who_is_who(project, events))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=histories,
    zone=st.sampled_from(ZONES),
    cuts=st.lists(st.integers(0, 100), max_size=3),
    chunk=st.sampled_from([1, 3, 1000]),
    how=st.integers(0, 8191),
)
def test_a_rebuild_equals_what_was_counted_bit_for_bit(
    database_url: str, items: list[dict[str, Any]], zone: str, cuts: list[int], chunk: int, how: int
) -> None:
    in_thread(play(database_url, items, zone, cuts, chunk, how))


async def play_deletion(
    url: str, items: Sequence[dict[str, Any]], zone: str, gone: Sequence[bool], later: int
) -> None:
    """Events are deleted; two readers count the rest of the history while the rebuild goes on."""
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zone)
        events = build(project, items)
        first, rest = events[: later % (len(events) + 1)], events[later % (len(events) + 1) :]
        await count(database, first, [], 3)
        deleted = [event for event, goes in zip(first, gone, strict=False) if goes]
        await database.pool.execute(
            "DELETE FROM events WHERE event_id = ANY ($1)", [event.event_id for event in deleted]
        )

        async def go_on() -> None:
            for event in rest:
                await write_events(database, [event])
                await race(database, 1)

        await asyncio.gather(go_on(), rebuild(database, project))
        await record(database, [])
        left = [event for event in events if event not in deleted]
        await compare(database, project, left, who_is_who(project, left))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=histories,
    zone=st.sampled_from(ZONES),
    gone=st.lists(st.booleans(), max_size=30),
    later=st.integers(1, 30),
)
def test_a_rebuild_follows_deletions_while_readers_race(
    database_url: str, items: list[dict[str, Any]], zone: str, gone: list[bool], later: int
) -> None:
    in_thread(play_deletion(database_url, items, zone, gone, later))


OLD = date(2024, 5, 15)
LATER = at("2026-03-10")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


async def close(database: Database) -> None:
    await close_due_days(database, LATER, late_days=LATE_DAYS)


async def seal_may(database: Database, project: Project) -> None:
    """Ada and Bob in May 2024, Ada in March 2026; then retention removes May."""
    await record(
        database,
        [
            event_on(project, OLD, "ada", "signup_completed"),
            event_on(project, OLD, "bob"),
            payment_on(project, OLD, "ada", "10"),
            event_on(project, "2026-03-02", "ada"),
        ],
    )
    await close(database)
    report = await apply_retention(database, LATER, retention_days=365, dedupe_days=30)
    assert report.dropped == ["events_20240501_20240601"]


async def test_sealed_days_stay_as_they_are_and_what_comes_late_is_shown(
    database: Database, project: Project
) -> None:
    await seal_may(database, project)
    await record(
        database, [event_on(project, OLD, "eve"), payment_on(project, OLD, "eve", "5", payment_id="p9")]
    )
    before = await state(database, project)
    report = await rebuild_project(database, project, "rebuild", clock=lambda: LATER)
    await close(database)
    assert report.sealed_days == 17
    assert report.different_days == set()
    assert await state(database, project) == before
    for name, value in (("dau", 2), ("revenue", 10), ("new_registrations", 1)):
        found = await point(database, project, name, OLD, now=LATER)
        assert found.figure.value == value
        assert (found.sealed, found.late_unapplied) == (True, 2)
    march = await point(database, project, "dau", "2026-03-02", now=LATER)
    assert march.figure.value == 1
    assert (march.sealed, march.late_unapplied) == (False, 0)
    # Ada's first day is one of those whose events are gone.
    new = await point(database, project, "new_persons", "2026-03-02", now=LATER)
    assert new.figure.value == 0


async def test_a_merge_changes_open_days_and_no_sealed_ones(database: Database, project: Project) -> None:
    await seal_may(database, project)
    await record(
        database,
        [
            event_on(project, "2026-03-02", "bob"),
            event_on(project, LATER.date(), "ada", "$alias", event_data={"from_user_id": "bob"}),
        ],
    )
    for _ in range(2):
        assert (await point(database, project, "dau", OLD, now=LATER)).figure.value == 2
        assert (await point(database, project, "dau", "2026-03-02", now=LATER)).figure.value == 1
        await close(database)


async def test_a_range_of_sealed_days_cannot_be_rebuilt(database: Database, project: Project) -> None:
    await seal_may(database, project)
    with pytest.raises(Unprocessable, match="sealed"):
        await rebuild_project(
            database, project, "rebuild", date(2024, 5, 1), date(2024, 5, 31), clock=lambda: LATER
        )


async def test_a_range_is_made_again_and_its_revisions_say_why(database: Database, project: Project) -> None:
    await record(
        database,
        [
            *(event_on(project, day, "ada") for day in ("2026-02-01", "2026-02-02", "2026-02-03")),
            subscription_on(project, "2026-02-02", "ada", "created", "10"),
        ],
    )
    await close(database)
    await database.pool.execute("UPDATE event_days SET events = 9 WHERE event_type = 'feature_used'")
    await database.pool.execute("UPDATE aggregated_metrics SET value = 9 WHERE metric_type = 'events'")
    second = date(2026, 2, 2)
    report = await rebuild_project(database, project, "rebuild", second, second, clock=lambda: LATER)
    assert (report.days, report.different_days) == (1, {second})
    await close(database)
    rows = await database.pool.fetch(
        "SELECT metric_date, old_value, new_value FROM metric_revisions WHERE metric_type = 'events' AND cause = 'rebuild'"
    )
    assert [tuple(row) for row in rows] == [(second, 9, 2)]
    assert await database.pool.fetchval("SELECT max(events) FROM event_days") == 9


async def test_new_events_are_counted_while_a_rebuild_goes_on(database: Database, project: Project) -> None:
    await record(database, [event_on(project, "2026-03-02", f"p{number}") for number in range(40)])
    times = iter(LATER + timedelta(seconds=2 * number) for number in range(10_000))
    coming = [event_on(project, "2026-03-02", f"q{number}") for number in range(10)]

    async def write() -> None:
        for event in coming:
            await write_events(database, [event])

    writing = asyncio.create_task(write())
    await rebuild_project(database, project, "rebuild", clock=lambda: next(times), persons_per_step=3)
    await writing
    await record(database, [])
    assert (await point(database, project, "dau", "2026-03-02", now=LATER)).figure.value == 50
    worker = RollupReader(database, "worker")
    assert [report.held_elsewhere for report in await worker.run_once()] in ([], [False])
    await worker.disconnect()
