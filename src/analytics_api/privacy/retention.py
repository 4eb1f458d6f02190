"""Retention: raw events go after DATA_RETENTION_DAYS, a whole partition at a time; figures stay."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg

from analytics_api.store.alerts import purge_alerts
from analytics_api.store.dead_letters import purge_dead
from analytics_api.store.engine import Database
from analytics_api.store.quarantine import purge_quarantine
from analytics_api.store.traffic import purge_requests
from analytics_api.store.upkeep import drop_partition, expired_partitions, purge_keys
from analytics_api.store.warnings import purge_warnings

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class RetentionReport:
    """What one run removed and what it had to leave."""

    dropped: list[str] = field(default_factory=list)
    blocked: dict[str, str] = field(default_factory=dict)
    keys: int = 0
    quarantined: int = 0
    dead_letters: int = 0


async def apply_retention(
    database: Database, now: datetime, *, retention_days: int, dedupe_days: int
) -> RetentionReport:
    """Drop what is past retention. A partition that must stay is reported and logged as a warning."""
    report = RetentionReport()
    async with database.acquire() as connection:
        report.keys = await purge_keys(connection, now - timedelta(days=dedupe_days))
        before = now - timedelta(days=retention_days)
        await purge_requests(connection, before)
        report.quarantined = await purge_quarantine(connection, before)
        await purge_warnings(connection, before)
        await purge_alerts(connection, before)
        report.dead_letters = await purge_dead(connection, before)
        for expired in await expired_partitions(connection, before):
            reason = expired.blocked_by
            if reason is None:
                try:
                    reason = await drop_partition(connection, expired, before)
                except asyncpg.LockNotAvailableError:
                    reason = "it is in use; the next run tries again"
            if reason is None:
                report.dropped.append(expired.name)
            else:
                report.blocked[expired.name] = reason
    for name, reason in report.blocked.items():
        logger.warning("retention could not drop %s: %s", name, reason)
    if report.dropped:
        logger.info("retention dropped %s", ", ".join(report.dropped))
    return report
