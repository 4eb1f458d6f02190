"""Composition root of the background work: APScheduler runs the table in schedule.py, alone or inside the web process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta
from typing import Never

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from analytics_api.aggregate.reader import RollupReader
from analytics_api.alert.mailer import Mailer
from analytics_api.alert.service import Alerts
from analytics_api.configured import added_client, make_destinations, secret_box, setting_text
from analytics_api.deliver.deletion import DestinationDeletions
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.errors import ConfigurationError, LeaseLost, Unavailable
from analytics_api.outbound.connections import Client
from analytics_api.privacy.jobs import PrivacyJobs
from analytics_api.schedule import JOB_LIMITS, JOBS, Job, Services
from analytics_api.settings import PREFIX, Settings
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY
from analytics_api.store.jobs import claim_job, finish_job, renew_job
from analytics_api.store.leases import owner_name, run_while_held
from analytics_api.store.partitions import Partitions
from analytics_api.telemetry import job_run

logger = logging.getLogger(__name__)

JOB_LEASE = timedelta(minutes=2)
"""Renewed while the job runs; after a crash the job is free again at the latest then."""
RENEWALS = 3
"""Per lease, so that one slow answer of the database does not cost it."""
STOP_SECONDS = 20.0
"""For jobs under way at the end. What is cut off is rolled back and done again by the next process."""


def make_services(
    settings: Settings,
    database: Database,
    client: Client,
    *,
    partitions: Partitions,
    clock: Clock = system_clock,
) -> Services:
    """Everything that the jobs and POST /process-events work with."""
    owner = owner_name()
    destinations = make_destinations(settings, database, client, owner, clock)
    deletions = DestinationDeletions(destinations)
    box = secret_box(settings)
    return Services(
        database=database,
        partitions=partitions,
        rollups=RollupReader(database, owner, clock=clock),
        destinations=destinations,
        privacy=PrivacyJobs(database, deletions, box, owner, clock=clock),
        deletions=deletions,
        alerts=make_alerts(settings, database, clock),
        box=box,
        clock=clock,
        flush_interval_seconds=settings.flush_interval_seconds,
        late_days=settings.late_days,
        retention_days=settings.data_retention_days,
        dedupe_days=settings.dedupe_days,
    )


def make_alerts(settings: Settings, database: Database, clock: Clock = system_clock) -> Alerts:
    """Alerts, with the mail server of the settings. Raises ConfigurationError."""
    return Alerts(
        database,
        secret_box(settings),
        added_client(settings),
        settings_mailer(settings),
        jobs=JOB_LIMITS,
        late_days=settings.late_days,
        muted=settings.sandbox_mode,
        clock=clock,
    )


def settings_mailer(settings: Settings) -> Mailer | None:
    """The mail server that the settings name. Raises ConfigurationError when half of it is missing."""
    if settings.smtp_host is None and settings.smtp_from is None:
        return None
    if settings.smtp_host is None or settings.smtp_from is None:
        missing, given = ("HOST", "FROM") if settings.smtp_host is None else ("FROM", "HOST")
        raise ConfigurationError(f"{PREFIX}SMTP_{missing} is missing: {PREFIX}SMTP_{given} needs it.")
    if (settings.smtp_username is None) != (settings.smtp_password is None):
        raise ConfigurationError(f"{PREFIX}SMTP_USERNAME and {PREFIX}SMTP_PASSWORD: set both or none.")
    return Mailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_from,
        settings.smtp_username,
        setting_text(settings, "smtp_password") or None,
    )


class Worker:
    """Runs the jobs of one process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._owner = owner_name()
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._running: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin the schedule."""
        for job in JOBS:
            self._scheduler.add_job(
                self._start_job,
                job.trigger(self._services),
                args=[job],
                id=job.name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
            if job.at_start:
                self._scheduler.add_job(self._start_job, args=[job], id=f"{job.name}-at-start")
        self._scheduler.start()

    async def stop(self) -> None:
        """End the schedule; what runs is finished first."""
        self._scheduler.shutdown(wait=False)
        # A long backlog would not be finished in time: counting ends after the chunk, delivery after the requests, that
        # are under way.
        self._services.rollups.stop()
        await self._services.destinations.close()
        await self._services.alerts.close()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=STOP_SECONDS)
            for task in late:
                logger.warning("%s was still running at the end and is cut off", task.get_name())
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _start_job(self, job: Job) -> None:
        task = asyncio.create_task(self.run(job), name=f"job-{job.name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # APScheduler counts instances by this coroutine, so it lasts as long as the job. It is cancelled when the schedule ends;
        # then `stop` waits for the task.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)

    async def run(self, job: Job) -> None:
        """One run of a job, if this process gets it. Errors are logged; the next run is the retry."""
        try:
            if job.once_in is None:
                await self._run(job)
            else:
                await self._run_leased(job, job.once_in)
        except (*AWAY, Unavailable, LeaseLost) as error:
            logger.warning("job %s could not run to its end: %s", job.name, error)
        except Exception:
            logger.exception("job %s failed", job.name)

    async def _run_leased(self, job: Job, once_in: timedelta) -> None:
        services = self._services
        async with services.database.acquire() as connection:
            now = services.clock()
            if not await claim_job(connection, job.name, self._owner, now, lasts=JOB_LEASE, gap=once_in):
                return
        error: str | None = None
        try:
            await run_while_held(self._run(job), self._keep(job))
        except BaseException as failure:
            error = f"{type(failure).__name__}: {failure}"
            raise
        finally:
            await self._give_back(job, error)

    async def _run(self, job: Job) -> None:
        with job_run(job.name):
            await job.run(self._services)

    async def _keep(self, job: Job) -> Never:
        """Renew the lease until cancelled. Raises LeaseLost."""
        services = self._services
        while True:
            await asyncio.sleep(JOB_LEASE.total_seconds() / RENEWALS)
            try:
                async with services.database.acquire() as connection:
                    await renew_job(connection, job.name, self._owner, services.clock(), JOB_LEASE)
            except AWAY as error:
                logger.warning("the lease of job %s could not be renewed yet: %s", job.name, error)

    async def _give_back(self, job: Job, error: str | None) -> None:
        services = self._services
        try:
            async with services.database.acquire() as connection:
                await finish_job(connection, job.name, self._owner, services.clock(), error)
        except AWAY as away:
            logger.warning("the lease of job %s could not be given back and will run out: %s", job.name, away)
