"""Group commit: what is answered is stored, one bad row fails alone, a database that comes and goes loses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.errors import Unavailable
from analytics_api.ingest import lane
from analytics_api.ingest.writer import Writer
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from tests.support.events import NOW, make_event, make_project, open_database
from tests.support.serving import until


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


@asynccontextmanager
async def writing(database: Database, queue_bytes: int = 10_000_000) -> AsyncIterator[Writer]:
    writer = Writer(database, Partitions(), queue_bytes=queue_bytes)
    writer.start()
    try:
        yield writer
    finally:
        await writer.close()


async def stored(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT event_type FROM events ORDER BY seq")
    return [row["event_type"] for row in rows]


async def test_concurrent_requests_share_transactions_and_get_their_own_answers(
    database: Database, project: Project
) -> None:
    async with writing(database) as writer:

        async def send(number: int) -> list[bool | str]:
            event = make_event(project, f"kind-{number}", event_id=f"id-{number // 2}")
            return await writer.write([event])

        answers = await asyncio.gather(*(send(number) for number in range(200)))
    assert sum(answer == [True] for answer in answers) == 100
    assert sum(answer == [False] for answer in answers) == 100
    assert len(await stored(database)) == 100
    groups = await database.pool.fetchval("SELECT count(*) FROM event_groups")
    assert groups < 20, "each request paid for a transaction of its own"


async def test_one_bad_row_fails_alone(database: Database, project: Project) -> None:
    def event(number: int) -> NewEvent:
        good = make_event(project, f"kind-{number:02}")
        # Neither can come out of the pipeline; both are what a bug there would let through.
        if number == 13:
            return replace(good, event_data="{not json")
        if number == 57:
            return replace(good, user_id="nul\0")
        return good

    async with writing(database) as writer:
        answers = await writer.write([event(number) for number in range(100)])
    bad = [number for number, answer in enumerate(answers) if answer is not True]
    assert bad == [13, 57]
    assert all(str(answers[number]).startswith("the database refused this event") for number in bad)
    assert len(await stored(database)) == 98


async def test_a_full_queue_refuses_and_takes_again_later(database: Database, project: Project) -> None:
    blocker = await database.connect()
    async with writing(database, queue_bytes=4_000) as writer:
        await writer.write([make_event(project, "first")])
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE event_groups IN EXCLUSIVE MODE")
            waiting = [asyncio.create_task(writer.write([make_event(project, "waits")])) for _ in range(4)]
            await asyncio.sleep(0.1)
            with pytest.raises(Unavailable, match="queue is full"):
                await writer.write([make_event(project, "refused")])
            assert writer.queued_bytes == 2_000
        assert [answer for task in waiting for answer in await task] == [True] * 4
        assert await writer.write([make_event(project, "again")]) == [True]
        assert writer.queued_bytes == 0
    await blocker.close()
    assert await stored(database) == ["first"] + ["waits"] * 4 + ["again"]


async def test_a_project_that_floods_is_refused_and_another_is_stored_before_its_queue(
    database: Database, project: Project
) -> None:
    other = await make_project(database, "other")
    blocker = await database.connect()
    async with writing(database, queue_bytes=8_000_000) as writer:
        await writer.write([make_event(project, "first")])
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE event_groups IN EXCLUSIVE MODE")
            flood = [
                asyncio.create_task(writer.write([make_event(project, "flood") for _ in range(100)]))
                for _ in range(100)
            ]
            await asyncio.sleep(0.1)
            refused = [task for task in flood if task.done()]
            assert len(refused) == 20, "half of the queue is 8,000 events"
            single = asyncio.create_task(writer.write([make_event(other, "single")]))
            await asyncio.sleep(0.1)
            assert not single.done()
        assert await single == [True]
        answers = await asyncio.gather(*flood, return_exceptions=True)
    await blocker.close()
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 20
    assert sum(answer == [True] * 100 for answer in answers) == 80
    order = await stored(database)
    assert len(order) == 8_002
    # Four groups of 500 were under way; a first-come queue would put it last.
    assert order.index("single") < 4_500


async def test_a_batch_larger_than_the_queue_is_taken_when_the_queue_is_empty(
    database: Database, project: Project
) -> None:
    async with writing(database, queue_bytes=1_000) as writer:
        assert await writer.write([make_event(project) for _ in range(50)]) == [True] * 50


async def test_closing_writes_what_is_queued(database: Database, project: Project) -> None:
    async with writing(database) as writer:
        tasks = [asyncio.create_task(writer.write([make_event(project)])) for _ in range(50)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == [[True]] * 50
    with pytest.raises(Unavailable, match="stopping"):
        await writer.write([make_event(project)])


async def test_a_sender_that_hangs_up_does_not_disturb_the_others(
    database: Database, project: Project
) -> None:
    async with writing(database) as writer:
        tasks = [asyncio.create_task(writer.write([make_event(project)])) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answer for answer in answers if answer == [True]] == [[True]] * 10
    assert len(await stored(database)) == 20


async def test_a_sender_that_cannot_be_told_leaves_the_others_their_answers(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "RETRY_SECONDS", 0.0)

    def fail(_outcome: object) -> None:
        raise RuntimeError("its connection is closed")

    async def refuse() -> object:
        raise ConnectionRefusedError("connection refused")

    async with writing(database) as writer:
        for connect in (database.connect, refuse):
            await writer.write([make_event(project)])
            monkeypatch.setattr(database, "connect", connect)
            if connect is refuse:
                await database.pool.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            told: list[object] = []
            writer.submit([make_event(project)], told.append)
            writer.submit([make_event(project)], fail)
            writer.submit([make_event(project)], told.append)
            await until(lambda told=told: len(told) == 2)  # type: ignore[misc]
            assert writer.alive
            if connect is refuse:
                assert all(isinstance(each, Unavailable) for each in told)
            else:
                assert told == [[True], [True]]


async def test_killed_connections_are_replaced_and_nothing_is_lost_or_doubled(
    database: Database, project: Project
) -> None:
    """Somebody terminates the writer's backend again and again while it writes."""
    answered: list[str] = []

    async def sender(writer: Writer, name: int) -> None:
        for number in range(40):
            event = make_event(project, f"{name}-{number}", event_id=f"{name}-{number}")
            while True:
                try:
                    await writer.write([event])
                    break
                except Unavailable:
                    await asyncio.sleep(0.01)
            answered.append(event.event_type)

    async def killer() -> None:
        while True:
            await asyncio.sleep(0.02)
            await database.pool.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
                """
            )

    async with writing(database) as writer:
        killing = asyncio.create_task(killer())
        await asyncio.gather(*(sender(writer, name) for name in range(8)))
        killing.cancel()
    assert sorted(await stored(database)) == sorted(answered)
    assert len(answered) == 320


async def test_an_unreachable_database_is_said_and_the_writer_lives_on(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "RETRY_SECONDS", 0.2)
    async with writing(database) as writer:
        await writer.write([make_event(project)])
        await database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database()"
        )
        real = database.connect

        async def refuse() -> object:
            raise ConnectionRefusedError("connection refused")

        monkeypatch.setattr(database, "connect", refuse)
        with pytest.raises(Unavailable, match="The database"):
            await writer.write([make_event(project)])
        assert writer.alive
        monkeypatch.setattr(database, "connect", real)
        assert await writer.write([make_event(project)]) == [True]
    assert len(await stored(database)) == 2


async def test_a_partition_dropped_meanwhile_is_made_anew(database: Database, project: Project) -> None:
    async with writing(database) as writer:
        old = make_event(project, occurred_at=NOW - timedelta(days=500))
        await writer.write([old])
        name = await database.pool.fetchval("DELETE FROM partitions RETURNING name")
        await database.pool.execute(f"DROP TABLE {name}")
        again = make_event(project, occurred_at=NOW - timedelta(days=500))
        assert await writer.write([again]) == [True]
    assert len(await stored(database)) == 1


async def test_a_backend_that_is_stopped_is_given_up(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "WRITE_SECONDS", 0.5)
    async with writing(database) as writer:
        for size in (1, 200):
            await writer.write([make_event(project)])
            backend = await database.pool.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%event_keys%' "
                "AND pid <> pg_backend_pid() ORDER BY query_start DESC LIMIT 1"
            )
            events = [make_event(project, event_id=f"{size}-{number}") for number in range(size)]
            try:
                os.kill(backend, signal.SIGSTOP)
            except (PermissionError, ProcessLookupError):
                pytest.skip("the database's processes are not ours to stop")
            try:
                with pytest.raises(Unavailable, match="too slow"):
                    await writer.write(events)
                assert await writer.write([make_event(project)]) == [True], "others go on"
            finally:
                os.kill(backend, signal.SIGCONT)
            await writer.write(events)
            ids = await database.pool.fetchval(
                "SELECT count(*) FROM events WHERE event_id = ANY ($1)", [event.event_id for event in events]
            )
            assert ids == size, "stored by the stopped one or by the second sending, never by both"
