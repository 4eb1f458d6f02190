"""The table of periodic jobs: what is done, by which function, how often. worker.py hands it to APScheduler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.reader import RollupReader
from analytics_api.alert.service import Alerts
from analytics_api.deliver.deletion import DestinationDeletions
from analytics_api.deliver.service import Destinations
from analytics_api.domain.clock import Clock
from analytics_api.privacy.jobs import PrivacyJobs
from analytics_api.privacy.retention import apply_retention
from analytics_api.store.engine import Database
from analytics_api.store.log import fold_groups, safe_position
from analytics_api.store.partitions import Partitions, make_ahead
from analytics_api.store.secret_box import SecretBox
from analytics_api.store.visitor_salts import destroy_salts


@dataclass(frozen=True, slots=True)
class Services:
    """What jobs work with. Made by the composition roots."""

    database: Database
    partitions: Partitions
    rollups: RollupReader
    destinations: Destinations
    privacy: PrivacyJobs
    deletions: DestinationDeletions
    alerts: Alerts
    box: SecretBox
    clock: Clock
    flush_interval_seconds: float
    late_days: int
    retention_days: int
    dedupe_days: int


@dataclass(frozen=True, slots=True)
class Job:
    """A periodic job. With `once_in`, of all processes one runs it in that time; without, every process does."""

    name: str
    description: str
    run: Callable[[Services], Awaitable[object]]
    trigger: Callable[[Services], BaseTrigger]
    once_in: timedelta | None = None
    at_start: bool = False
    overdue_after: timedelta | None = None
    """Without a success for so long something is wrong: the rule `job_not_run` alerts. Only for jobs with `once_in`."""


async def _roll_up(services: Services) -> object:
    return await services.rollups.run_once()


async def _flush(services: Services) -> object:
    await services.destinations.start_flush()
    return None


async def _notice_destinations(services: Services) -> object:
    await services.destinations.notice()
    return None


async def _notice_replays(services: Services) -> object:
    await services.destinations.replays.notice()
    return None


async def _close_days(services: Services) -> object:
    return await close_due_days(services.database, services.clock(), late_days=services.late_days)


async def _make_partitions(services: Services) -> object:
    async with services.database.acquire() as connection:
        return await make_ahead(connection, services.partitions, services.clock())


async def _fold_groups(services: Services) -> object:
    async with services.database.acquire() as connection:
        return await fold_groups(connection, await safe_position(connection))


async def _retain(services: Services) -> object:
    return await apply_retention(
        services.database,
        services.clock(),
        retention_days=services.retention_days,
        dedupe_days=services.dedupe_days,
    )


async def _work_on_privacy_jobs(services: Services) -> object:
    return await services.privacy.run_once()


async def _destroy_salts(services: Services) -> object:
    async with services.database.acquire() as connection:
        return await destroy_salts(connection, services.clock())


async def _evaluate_alerts(services: Services) -> object:
    return await services.alerts.evaluate()


async def _send_alerts(services: Services) -> object:
    await services.alerts.start_due()
    return None


def _every(**interval: float) -> Callable[[Services], BaseTrigger]:
    return lambda _services: IntervalTrigger(**interval)


JOBS = (
    Job("rollups", "count new events into the rollups", _roll_up, _every(seconds=1)),
    Job(
        "flush",
        "hand new events to the destinations",
        _flush,
        lambda services: IntervalTrigger(seconds=services.flush_interval_seconds),
    ),
    Job(
        "destinations",
        "notice destinations that were added, changed or removed",
        _notice_destinations,
        _every(seconds=2),
    ),
    Job("replays", "go on with replays", _notice_replays, _every(seconds=1)),
    Job(
        "close-days",
        # Hourly, because 01:00 comes at another hour in each project's zone, and a missed one is made up for.
        "close the days that ended in their project's zone and correct those that changed",
        _close_days,
        lambda _services: CronTrigger(minute=0, timezone="UTC"),
        once_in=timedelta(minutes=30),
        at_start=True,
        overdue_after=timedelta(hours=3),
    ),
    Job(
        "partitions",
        "make the coming partitions of the log",
        _make_partitions,
        lambda _services: CronTrigger(hour=3, minute=10, timezone="UTC"),
        once_in=timedelta(hours=12),
        at_start=True,
        overdue_after=timedelta(hours=50),
    ),
    Job(
        "fold-groups",
        "sum up the notes of write groups",
        _fold_groups,
        _every(minutes=1),
        once_in=timedelta(seconds=30),
        overdue_after=timedelta(minutes=30),
    ),
    Job(
        "retention",
        "drop events past retention and old dedupe keys",
        _retain,
        lambda _services: CronTrigger(hour=3, minute=30, timezone="UTC"),
        once_in=timedelta(hours=12),
        # A laptop is off at night.
        at_start=True,
        overdue_after=timedelta(hours=50),
    ),
    Job(
        "privacy-jobs",
        "go on with erasures and anonymisations",
        _work_on_privacy_jobs,
        _every(seconds=2),
    ),
    Job(
        "visitor-salts",
        # Hourly, because midnight comes at another hour in each project's zone.
        "destroy the salts of visitor ids of days that are over",
        _destroy_salts,
        lambda _services: CronTrigger(minute=5, timezone="UTC"),
        once_in=timedelta(minutes=30),
        at_start=True,
        overdue_after=timedelta(hours=3),
    ),
    Job(
        "alerts",
        "look whether alert rules fire or are over",
        _evaluate_alerts,
        _every(minutes=1),
        once_in=timedelta(seconds=50),
        at_start=True,
    ),
    Job("alert-messages", "send what people are told of alerts", _send_alerts, _every(seconds=5)),
)

JOB_LIMITS = {job.name: job.overdue_after for job in JOBS if job.overdue_after is not None}
"""How long each job may go without a success."""
