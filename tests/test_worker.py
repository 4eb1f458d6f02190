"""Jobs under leases: renewed while they run, cut off when lost, given back at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from analytics_api import worker as module
from analytics_api.domain.clock import system_clock
from analytics_api.outbound.connections import make_client
from analytics_api.schedule import Job, Services
from analytics_api.settings import Settings
from analytics_api.store.engine import Database
from analytics_api.store.jobs import claim_job
from analytics_api.store.partitions import Partitions
from analytics_api.worker import Worker, make_services

LEASE = timedelta(seconds=0.3)


@pytest.fixture
async def services(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    monkeypatch.setattr(module, "JOB_LEASE", LEASE)
    database = Database(database_url)
    await database.open()
    async with make_client() as client:
        settings = Settings(_env_file=None)
        yield make_services(settings, database, client, partitions=Partitions(settings.partition_interval))
    await database.close()


def job(run: Any) -> Job:
    return Job("slow", "takes long", run, lambda _services: pytest.fail("not scheduled"), timedelta(hours=12))


async def row(database: Database) -> Any:
    async with database.acquire() as connection:
        return await connection.fetchrow("SELECT * FROM jobs WHERE name = 'slow'")


async def claim_elsewhere(database: Database) -> bool:
    async with database.acquire() as connection:
        return await claim_job(
            connection,
            "slow",
            "elsewhere",
            system_clock(),
            lasts=timedelta(minutes=5),
            gap=timedelta(hours=12),
        )


async def test_a_job_that_outlasts_its_lease_keeps_it(services: Services) -> None:
    taken = []

    async def run(_services: Services) -> None:
        for _ in range(10):
            await asyncio.sleep(LEASE.total_seconds() / 3)
            taken.append(await claim_elsewhere(services.database))

    await Worker(services).run(job(run))
    assert taken == [False] * 10
    ended = await row(services.database)
    assert (ended["lease_owner"], ended["last_error"]) == (None, None)
    assert not await claim_elsewhere(services.database), "it was done just now"


async def test_a_job_whose_lease_was_lost_is_cut_off(services: Services) -> None:
    cut = asyncio.Event()

    async def run(_services: Services) -> None:
        async with services.database.acquire() as connection:
            await connection.execute("UPDATE jobs SET lease_owner = 'elsewhere'")
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    await Worker(services).run(job(run))
    assert cut.is_set()
    assert (await row(services.database))["lease_owner"] == "elsewhere"


async def test_a_failed_job_says_so_and_gives_its_lease_back(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(_services: Services) -> None:
        raise ValueError("no such luck")

    await Worker(services).run(job(run))
    ended = await row(services.database)
    assert (ended["lease_owner"], ended["last_error"]) == (None, "ValueError: no such luck")
    assert "job slow failed" in caplog.text


async def test_stopping_cuts_off_what_does_not_end(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    began = asyncio.Event()

    async def run(_services: Services) -> None:
        began.set()
        await asyncio.Event().wait()

    worker = Worker(services)
    worker._scheduler.start(paused=True)
    started = asyncio.create_task(worker._start_job(job(run)))
    await began.wait()
    await worker.stop()
    assert "job-slow was still running at the end" in caplog.text
    assert (await row(services.database))["lease_owner"] is None, "the next process need not wait for it"
    await asyncio.gather(started, return_exceptions=True)
