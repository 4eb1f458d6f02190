"""Erasing while readers hold claimed chunks of the person: nothing of them is sent after the provider's deletion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from analytics_api.aggregate.reader import LEASE, READER, RollupReader
from analytics_api.deliver.deletion import DestinationDeletions
from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.erasure import JobKind
from analytics_api.domain.project import Project
from analytics_api.ingest.writer import Writer
from analytics_api.outbound.connections import make_client
from analytics_api.privacy import jobs as privacy_jobs
from analytics_api.privacy.jobs import PrivacyJobs
from analytics_api.privacy.subject import Subject
from analytics_api.store import readers
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from analytics_api.store.privacy_jobs import PrivacyJob, create_job, find_job
from analytics_api.store.provider_deletions import deletions_of
from tests.support.delivering import MovableClock, destination, make_reader
from tests.support.destinations import BOX
from tests.support.events import make_event, make_project, open_database, write_events
from tests.support.providers import AmplitudeStandIn, Fault
from tests.support.providers.deletions import (
    AmplitudeDeletionStandIn,
    DeletionStandIn,
    MixpanelDeletionStandIn,
    PostHogDeletionStandIn,
)
from tests.support.providers.server import Received
from tests.support.replaying import ReplayBench
from tests.support.serving import until

OPTIONS = {"api_key": "amplitude-key", "secret_key": "secret"}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


class GatedAmplitude(AmplitudeStandIn):
    """Answers nothing until the test opens the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def _whole(self, writer: asyncio.StreamWriter, request: Received) -> bool:
        await self.gate.wait()
        return await super()._whole(writer, request)


async def begin(database: Database, project: Project, user: str) -> PrivacyJob:
    async with database.acquire() as connection:
        subject = Subject(user_id=user).to_json()
        return await create_job(connection, project.id, JobKind.ERASE, subject, "admin:1", MovableClock().now)


async def found(database: Database, job: PrivacyJob) -> PrivacyJob:
    async with database.acquire() as connection:
        held = await find_job(connection, job.project_id, job.id)
    assert held is not None
    return held


async def run_until_done(
    jobs: PrivacyJobs, database: Database, job: PrivacyJob, clock: MovableClock
) -> PrivacyJob:
    for _ in range(60):
        await jobs.run_once()
        held = await found(database, job)
        if held.state == "done":
            return held
        clock.move(seconds=30)
    raise AssertionError(f"still at {held.stage}: {held.error}")


async def test_every_reader_holds_a_claimed_chunk_of_the_person(database: Database, project: Project) -> None:
    clock = MovableClock()
    async with (
        make_client() as client,
        GatedAmplitude() as amplitude,
        AmplitudeDeletionStandIn() as deletion,
    ):
        config = DestinationConfig(
            "amplitude", {**OPTIONS, "url": amplitude.url, "deletion_url": deletion.url}
        )
        destinations = Destinations(database, [config], client, owner="web", clock=clock)
        await destinations.ensure()
        to = destinations.get(project, "amplitude")
        await write_events(
            database,
            [make_event(project, user_id=user) for _ in range(20) for user in ("ada-lovelace", "bob-smith")],
        )
        # The destination and a replay are in the middle of a request, with more of the person behind it.
        live = await make_reader(database, project, to, client, clock, owner="live", batch_size=4, lanes=1)
        bench = ReplayBench(database, project, to, client, clock, batch_size=4)
        delivering = asyncio.create_task(live.run_once())
        await until(lambda: amplitude.in_flight == 1)
        replay = await bench.start()
        # The rollups are claimed, too, and counted only after the job has begun.
        async with database.acquire() as connection:
            await readers.ensure_reader(connection, project.id, READER, 0, clock())
            claim = await readers.claim(connection, project.id, READER, "rollups", clock(), LEASE)
        assert claim is not None
        replaying = asyncio.create_task(bench.reader(replay, owner="replay").run_once())

        sent_before: list[int] = []
        deletion.on_request = lambda: sent_before.append(len(amplitude.stored))
        job = await begin(database, project, "ada-lovelace")
        jobs = PrivacyJobs(database, DestinationDeletions(destinations), BOX, "jobs", clock=clock)
        working = asyncio.create_task(jobs.run_once())
        async with asyncio.timeout(60):
            while "claims" not in (await found(database, job)).progress:
                await asyncio.sleep(0.05)
        assert (await found(database, job)).stage == "wait"
        assert deletion.asked_for == []
        async with database.acquire() as connection:
            await readers.release(connection, claim)
        amplitude.gate.set()
        await asyncio.gather(delivering, replaying, working)
        done = await run_until_done(jobs, database, job, clock)

        # Whoever comes late, with old events or new ones, sends nothing of them any more.
        rollups = RollupReader(database, "rollups", clock=clock)
        await rollups.run_once()
        await rollups.disconnect()
        await write_events(
            database, [make_event(project, user_id="ada-lovelace"), make_event(project, user_id="bob-smith")]
        )
        await live.run_once()
        clock.move(seconds=60)
        await bench.reader(replay, owner="replay").run_once()
        await destinations.close()

        users = [event["user_id"] for event in amplitude.stored]
        assert deletion.asked_for == ["ada-lovelace"]
        assert sent_before
        assert "ada-lovelace" not in users[sent_before[0] :]
        assert users.count("bob-smith") == 21
        assert users.count("ada-lovelace") < 20, "what was behind the request in flight was not sent"
        assert done.report is not None
        [told] = done.report["report"]["destinations"]
        assert (told["destination"], told["state"], told["job_ids"]) == ("amplitude", "done", [deletion.day])
        counts = await database.pool.fetch("SELECT sum(events) AS events FROM event_days")
        assert counts[0]["events"] == 20


async def test_what_a_writer_had_begun_to_store_is_waited_for_and_erased(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has looked who is kept out before the job began, and is stored when its senders have long been told that it was not."""
    monkeypatch.setattr(privacy_jobs, "OLDER_SECONDS", 0.2)
    clock = MovableClock()
    writer = Writer(database, Partitions(), queue_bytes=1_000_000)
    writer.start()
    blocker = await asyncpg.connect(**database.asyncpg_arguments() | {"server_settings": {}})
    event = make_event(project, user_id="ada-lovelace")
    async with make_client() as client:
        destinations = Destinations(database, [], client, owner="web", clock=clock)
        jobs = PrivacyJobs(database, DestinationDeletions(destinations), BOX, "jobs", clock=clock)
        await writer.write([make_event(project, user_id="bob-smith")])
        blocking = blocker.transaction()
        await blocking.start()
        await blocker.execute(
            "INSERT INTO event_keys (person_id, event_id, received_at) VALUES ($1, $2, now())",
            event.person_id,
            event.event_id,
        )
        storing = asyncio.create_task(writer.write([event]))
        async with asyncio.timeout(30):
            while not await database.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        job = await begin(database, project, "ada-lovelace")
        await jobs.run_once()
        held = await found(database, job)
        assert (held.stage, held.error) == ("wait", "waiting for a transaction to end that began before")
        await blocking.rollback()
        assert await storing == [True]
        await run_until_done(jobs, database, job, clock)
    await blocker.close()
    await writer.close()
    users = await database.pool.fetch("SELECT user_id FROM events")
    assert [row["user_id"] for row in users] == ["bob-smith"]


async def test_a_reader_that_lost_its_lease_in_the_middle_sends_nothing_more(
    database: Database, project: Project
) -> None:
    clock = MovableClock()
    async with (
        make_client() as client,
        GatedAmplitude() as amplitude,
        AmplitudeDeletionStandIn() as deletion,
    ):
        to = destination("amplitude", {**OPTIONS, "url": amplitude.url, "deletion_url": deletion.url})
        await write_events(database, [make_event(project, user_id="ada-lovelace") for _ in range(12)])
        stopped = await make_reader(
            database, project, to, client, clock, owner="stopped", batch_size=4, lanes=1
        )
        delivering = asyncio.create_task(stopped.run_once())
        await until(lambda: amplitude.in_flight == 1)
        # As if the machine had slept: nobody waits for it any more.
        clock.move(seconds=3600)
        job = await begin(database, project, "ada-lovelace")
        config = DestinationConfig(
            "amplitude", {**OPTIONS, "url": amplitude.url, "deletion_url": deletion.url}
        )
        destinations = Destinations(database, [config], client, owner="web", clock=clock)
        await destinations.refresh()
        jobs = PrivacyJobs(database, DestinationDeletions(destinations), BOX, "jobs", clock=clock)
        await jobs.run_once()
        assert (await found(database, job)).stage == "providers"
        amplitude.gate.set()
        await delivering
        assert len(amplitude.stored) <= 4, "only the request that was in flight"
        await destinations.close()


@pytest.mark.parametrize(
    ("kind", "options", "make", "ids"),
    [
        ("amplitude", OPTIONS, AmplitudeDeletionStandIn, ["ada-lovelace"]),
        (
            "mixpanel",
            {"token": "token", "gdpr_token": "gdpr"},
            MixpanelDeletionStandIn,
            ["ada-lovelace", "$device:phone-1", "phone-1"],
        ),
        (
            "posthog",
            {"api_key": "phc", "personal_api_key": "phx_1", "project_id": "7"},
            PostHogDeletionStandIn,
            ["ada-lovelace", "phone-1"],
        ),
    ],
)
async def test_deletions_are_asked_for_again_until_taken_and_followed_to_the_end(
    database: Database,
    project: Project,
    kind: str,
    options: dict[str, str],
    make: type[DeletionStandIn],
    ids: list[str],
) -> None:
    clock = MovableClock()
    async with make_client() as client, make(polls=4) as deletion:
        config = DestinationConfig(kind, {**options, "url": deletion.url, "deletion_url": deletion.url})
        destinations = Destinations(database, [config], client, owner="web", clock=clock)
        await destinations.refresh()
        jobs = PrivacyJobs(database, DestinationDeletions(destinations), BOX, "jobs", clock=clock)
        event = make_event(project, user_id="ada-lovelace", anonymous_id="phone-1")
        await write_events(database, [event])
        deletion.faults.extend([Fault("status", status=503), Fault("reset"), Fault("html")])
        job = await begin(database, project, "ada-lovelace")
        done = await run_until_done(jobs, database, job, clock)
        assert deletion.asked_for == ids
        assert deletion.asked > 4
        async with database.acquire() as connection:
            [held] = await deletions_of(connection, job.id)
        assert (held.state, held.requested_at is not None, held.ended_at is not None) == ("done", True, True)
        assert done.subject == {}, "the ids are forgotten"
        await destinations.close()


async def test_what_cannot_be_deleted_from_here_is_named(database: Database, project: Project) -> None:
    clock = MovableClock()
    async with make_client() as client:
        configs = [
            DestinationConfig("amplitude", {"api_key": "key"}),
            DestinationConfig("segment", {"write_key": "key"}),
        ]
        destinations = Destinations(database, configs, client, owner="web", clock=clock)
        await destinations.refresh()
        jobs = PrivacyJobs(database, DestinationDeletions(destinations), BOX, "jobs", clock=clock)
        job = await begin(database, project, "ada")
        done = await run_until_done(jobs, database, job, clock)
        assert done.report is not None
        told = {one["destination"]: one for one in done.report["report"]["destinations"]}
        assert {one["state"] for one in told.values()} == {"impossible"}
        assert "secret_key is not set" in told["amplitude"]["words"]
        assert done.finished_at is not None
        assert done.finished_at - done.created_at < timedelta(hours=1)
        await destinations.close()
