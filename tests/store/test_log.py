"""The log: duplicates, order without loss, partitions made while others write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import make_url

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.groups import WRITERS_LOCK, CommitUnknown, write_group
from analytics_api.store.log import fold_groups, next_chunk, read_chunk, read_events, safe_position
from analytics_api.store.partitions import Partitions, make_ahead
from tests.support.events import NOW, make_event, make_project, open_database, write_events


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


@pytest.fixture(params=["superuser", "plain"])
async def writing(
    request: pytest.FixtureRequest, database: Database, database_url: str
) -> AsyncIterator[Database]:
    """The same database for a superuser, as that of the embedded server is, and for a role of which nothing but SQL is allowed."""
    if request.param == "superuser":
        yield database
        return
    role = f"plain_{uuid4().hex}"
    tables = "IN SCHEMA public TO"
    await database.pool.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'plain'; GRANT ALL ON ALL TABLES {tables} {role}; GRANT ALL ON ALL SEQUENCES {tables} {role}"
    )
    url = make_url(database_url).set(username=role, password="plain")
    async with open_database(url.render_as_string(hide_password=False)) as plain:
        yield plain
    await database.pool.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def everything(database: Database, project: Project, size: int = 10_000) -> list[int]:
    """Sequence numbers that a reader starting at 0 sees, chunk by chunk."""
    seen: list[int] = []
    async with database.acquire() as connection:
        safe = await safe_position(connection)
        position = 0
        while chunk := await next_chunk(connection, project.id, position, safe, size):
            seen += [event.seq for event in await read_chunk(connection, chunk)]
            position = chunk.upto
    return seen


async def test_what_is_written_comes_back_as_it_was(database: Database, project: Project) -> None:
    event = make_event(
        project,
        "purchase",
        event_data={"täxt": ["ü", 1.5, None, {"a": True}]},
        user_properties={"$set": {"plan": "pro"}},
        revenue="19.990",
    )
    assert await write_events(database, [event]) == [True]
    async with database.acquire() as connection:
        [stored] = await read_events(connection, [(event.person_id, event.occurred_at, 1)])
    assert stored.event_id == event.event_id
    assert stored.revenue == event.revenue
    assert stored.user_id == "ada"
    assert '"täxt"' in stored.event_data
    assert stored.occurred_at == event.occurred_at


async def test_same_id_is_stored_once_whatever_its_time(database: Database, project: Project) -> None:
    first = make_event(project, event_id="same", occurred_at=NOW)
    later = make_event(
        project, event_id="same", occurred_at=NOW + timedelta(hours=3), event_data={"other": 1}
    )
    assert await write_events(database, [first]) == [True]
    assert await write_events(database, [later]) == [False]
    assert await write_events(database, [make_event(project, event_id="new"), later]) == [True, False]
    assert len(await everything(database, project)) == 2


async def test_duplicates_inside_one_group(database: Database, project: Project) -> None:
    event = make_event(project, event_id="twice")
    assert await write_events(database, [event, event, make_event(project)]) == [True, False, True]


@pytest.mark.parametrize("size", [2, 150])
async def test_an_id_is_one_event_for_each_person(database: Database, project: Project, size: int) -> None:
    events = [
        make_event(project, event_id="shared", user_id=f"person-{number % (size // 2)}")
        for number in range(size)
    ]
    assert await write_events(database, events) == [number < size // 2 for number in range(size)]


async def test_two_connections_writing_the_same_events_store_each_once(
    database: Database, writing: Database, project: Project
) -> None:
    """Every batch goes in from four connections at once, in different orders: no deadlock, no double."""
    events = [
        make_event(project, event_id=f"race-{number}", user_id=f"u{number % 7}") for number in range(400)
    ]
    await write_events(database, [make_event(project, event_id="partition")])
    halves = [events, events[::-1], events[200:] + events[:200], events[::2] + events[1::2]]
    outcomes = await asyncio.gather(*(write_events(writing, half) for half in halves))
    assert sum(sum(outcome) for outcome in outcomes) == 400
    more = [make_event(project, event_id=f"late-{number}") for number in range(200)]
    assert await write_events(writing, [*more[:100], events[0], *more[100:]]) == [
        *[True] * 100,
        False,
        *[True] * 100,
    ]
    assert await database.pool.fetchval("SELECT count(*) FROM events WHERE event_type = 'page_view'") == 601


async def test_reader_skips_nothing_when_commits_come_out_of_order(
    database: Database, project: Project
) -> None:
    """A slow transaction draws numbers first and commits last; the safe position waits for it."""
    await write_events(database, [make_event(project)])
    slow = await database.connect()
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute("SELECT pg_advisory_xact_lock_shared($1)", WRITERS_LOCK)
    drawn = await slow.fetchval("SELECT nextval('event_seq')")
    await write_events(database, [make_event(project)])

    async with database.acquire() as connection:
        waiting = asyncio.create_task(safe_position(connection))
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done, "the position was called safe while a writer below it had not committed"
        # A second writer is not held up by the first one, nor by the waiting reader.
        await asyncio.wait_for(write_events(database, [make_event(project)]), 20)
        await transaction.rollback()
        safe = await asyncio.wait_for(waiting, 20)
    await slow.close()
    assert safe >= drawn
    assert len(await everything(database, project)) == 3


async def test_a_reader_racing_many_writers_sees_every_event_once(
    database: Database, project: Project
) -> None:
    """Eight writers with random pauses inside their transactions; the reader goes by safe positions only."""
    total = 8 * 25
    await write_events(database, [make_event(project, event_id="partition")])
    partitions = Partitions()
    async with database.acquire() as connection:
        await partitions.load(connection)

    async def writer(name: int) -> None:
        connection = await database.connect()
        for number in range(25):
            events = [make_event(project, event_id=f"{name}-{number}-{part}") for part in range(3)]
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", WRITERS_LOCK)
                await write_group(connection, partitions, events)
                # Holds the numbers back for a while, so that later ones become visible earlier.
                await connection.execute("SELECT pg_sleep($1)", 0.001 * ((name * 7 + number) % 13))
        await connection.close()

    seen: list[int] = []
    writers = asyncio.gather(*(writer(name) for name in range(8)))
    position = 0
    async with database.acquire() as connection:
        while True:
            finished = writers.done()
            safe = await safe_position(connection)
            while chunk := await next_chunk(connection, project.id, position, safe, 17):
                seen += [event.seq for event in await read_chunk(connection, chunk)]
                position = chunk.upto
            position = safe
            if finished:
                break
    await writers
    stored = [row["seq"] for row in await database.pool.fetch("SELECT seq FROM events ORDER BY seq")]
    assert len(stored) == total * 3 + 1
    assert seen == stored


async def test_a_stopped_writer_that_dies_frees_the_reader(database: Database, project: Project) -> None:
    await write_events(database, [make_event(project)])
    dying = await database.connect()
    await dying.execute("BEGIN")
    await dying.execute(f"SELECT pg_advisory_xact_lock_shared({WRITERS_LOCK}), nextval('event_seq')")
    async with database.acquire() as connection:
        waiting = asyncio.create_task(safe_position(connection))
        await asyncio.sleep(0.05)
        dying.terminate()
        assert await asyncio.wait_for(waiting, 20) == 2


async def test_partition_is_made_on_demand_while_a_long_read_runs(
    database: Database, project: Project
) -> None:
    await write_events(database, [make_event(project)])
    reading = await database.connect()
    async with reading.transaction():
        await reading.fetch("SELECT count(*) FROM events")
        old = make_event(project, occurred_at=datetime(1997, 5, 5, tzinfo=UTC))
        assert await asyncio.wait_for(write_events(database, [old]), 20) == [True]
    await reading.close()
    names = [row["name"] for row in await database.pool.fetch("SELECT name FROM partitions ORDER BY lower")]
    assert names == ["events_19970501_19970601", "events_20260301_20260401"]


async def test_two_processes_making_the_same_partition(database: Database, project: Project) -> None:
    moments = [NOW, NOW + timedelta(days=40)] * 4

    async def make(moment: datetime) -> None:
        async with database.acquire() as connection:
            await Partitions().ensure(connection, moment)

    await asyncio.gather(*(make(moment) for moment in moments))
    assert await database.pool.fetchval("SELECT count(*) FROM partitions") == 2


async def test_partitions_are_made_ahead_once(database: Database) -> None:
    async with database.acquire() as connection:
        assert await make_ahead(connection, Partitions(), NOW) == 4
        assert await make_ahead(connection, Partitions(), NOW) == 0


async def test_changing_the_interval_leaves_no_gap_and_no_overlap(
    database: Database, project: Project
) -> None:
    async with database.acquire() as connection:
        await Partitions("month").ensure(connection, datetime(2026, 3, 10, tzinfo=UTC))
        weeks = Partitions("week")
        await weeks.load(connection)
        made = [
            await weeks.ensure(connection, datetime(2026, 2, 27, tzinfo=UTC)),
            await weeks.ensure(connection, datetime(2026, 4, 2, tzinfo=UTC)),
        ]
    assert made[0].upper == datetime(2026, 3, 1, tzinfo=UTC)
    assert made[1].lower == datetime(2026, 4, 1, tzinfo=UTC)
    day = timedelta(days=1)
    events = [make_event(project, occurred_at=made[0].lower + number * day) for number in range(40)]
    assert all(await write_events(database, events))


async def test_chunks_touch_only_what_a_project_has(database: Database, project: Project) -> None:
    other = await make_project(database, "other")
    await write_events(database, [make_event(other) for _ in range(50)])
    await write_events(database, [make_event(project)])
    await write_events(database, [make_event(other) for _ in range(50)])
    async with database.acquire() as connection:
        safe = await safe_position(connection)
        chunk = await next_chunk(connection, project.id, 0, safe, 1000)
        assert chunk is not None
        assert [event.seq for event in await read_chunk(connection, chunk)] == [51]
        assert await next_chunk(connection, project.id, 51, safe, 1000) is None
    assert len(await everything(database, other, size=7)) == 100


async def test_folded_notes_still_lead_to_every_event(database: Database, project: Project) -> None:
    times = [NOW, NOW - timedelta(days=100), NOW, NOW - timedelta(days=400)]
    for moment in times:
        await write_events(database, [make_event(project, occurred_at=moment) for _ in range(3)])
    async with database.acquire() as connection:
        assert await fold_groups(connection, await safe_position(connection)) == 3
        assert await connection.fetchval("SELECT count(*) FROM event_groups") == 0
    await write_events(database, [make_event(project)])
    assert await everything(database, project, size=2) == list(range(1, 14))


async def test_a_partition_dropped_behind_the_cache_is_refused_by_the_database(
    database: Database, project: Project
) -> None:
    """What the writer relies on: the whole group fails and nothing of it stays."""
    partitions = Partitions()
    async with database.acquire() as connection:
        await partitions.ensure(connection, NOW)
        await connection.execute("DROP TABLE events_20260301_20260401")
        with pytest.raises(asyncpg.CheckViolationError):
            await write_group(connection, partitions, [make_event(project)])
        assert await connection.fetchval("SELECT count(*) FROM event_keys") == 0


@pytest.mark.parametrize("size", [1, 150])
async def test_nothing_is_stored_when_the_connection_breaks_before_the_commit(
    database: Database, project: Project, size: int
) -> None:
    """A small group is one statement, so that any break may have come after its commit, and is said to."""
    await write_events(database, [make_event(project)])
    partitions = Partitions()
    connection = await database.connect()
    await partitions.load(connection)
    pid = connection.get_server_pid()
    blocker = await database.connect()
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE event_groups IN EXCLUSIVE MODE")
        events = [make_event(project) for _ in range(size)]
        writing = asyncio.create_task(write_group(connection, partitions, events))
        await asyncio.sleep(0.2)
        await blocker.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(CommitUnknown if size == 1 else (asyncpg.PostgresError, OSError)):
            await writing
    await blocker.close()
    assert connection.is_closed()
    assert len(await everything(database, project)) == 1


@pytest.mark.parametrize("size", [60, 150])
async def test_both_ways_of_writing_store_the_same(database: Database, project: Project, size: int) -> None:
    """One statement or COPY: the same rows, duplicates, order and notes."""
    other = await make_project(database, "other")
    await write_events(database, [make_event(project, event_id="known")])
    events = [
        make_event(
            other if number % 5 == 0 else project,
            f"kind-{number}",
            event_id="known" if number == 7 else f"both-{number - (number % 10 == 3)}",
            occurred_at=NOW - timedelta(days=20 * (number % 4)),
            revenue="1.50" if number % 6 == 0 else None,
            user_properties={"$set": {"n": number}} if number % 2 else None,
        )
        for number in range(size)
    ]
    stored = await write_events(database, events)
    # Every tenth event repeats the id of the one before it, in another project or not.
    assert [number for number, new in enumerate(stored) if not new] == [
        number for number in range(size) if number == 7 or (number % 10 == 3 and number % 5 != 0)
    ]
    rows = await database.pool.fetch("SELECT event_type FROM events WHERE seq > 1 ORDER BY seq")
    assert [row["event_type"] for row in rows] == [
        e.event_type for e, new in zip(events, stored, strict=True) if new
    ]
    notes = await database.pool.fetch(
        "SELECT project_id, lower, sum(events) AS events, max(last_seq) AS last FROM event_groups GROUP BY 1, 2"
    )
    assert sum(note["events"] for note in notes) == 1 + sum(stored)
    assert max(note["last"] for note in notes) == await database.pool.fetchval(
        "SELECT last_value FROM event_seq"
    )
    seen = [*await everything(database, project), *await everything(database, other)]
    assert sorted(seen) == list(range(1, 2 + sum(stored)))
