"""Out of quarantine: events are checked against the plan of now and go into the log, each exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import orjson

from analytics_api.errors import Unavailable
from analytics_api.ingest.plan.plans import Plan
from analytics_api.store import quarantine
from analytics_api.store.engine import Database
from analytics_api.store.failures import TRY_AGAIN
from analytics_api.store.groups import CommitUnknown
from analytics_api.store.partitions import Partitions
from analytics_api.store.quarantine import Place, QuarantinedEvent, Selection, quarantined
from analytics_api.telemetry import count_events

ROWS = 500
"""Of one transaction, as many as of a group of intake: destinations and figures wait for it."""
MOST_LOOKED_AT = 20_000
"""Of one call, which takes some seconds then; the answer says where to go on."""
ATTEMPTS = 5
MOST_REASONS = 20


@dataclass(slots=True)
class ReleaseReport:
    """What became of the events looked at. `next`: where to go on, None when all were looked at."""

    released: int = 0
    duplicates: int = 0
    still_broken: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    next: Place | None = None


async def release_events(
    database: Database,
    partitions: Partitions,
    chosen: Selection,
    plan: Plan | None,
    *,
    after: Place | None,
    now: datetime,
) -> ReleaseReport:
    """Release what is chosen and keeps to the plan; without a plan, all of it.

    What is quarantined after `now` is left for another call. Raises Unavailable; what was released before stays so.
    """
    report = ReleaseReport(next=after)
    looked_at = 0
    while looked_at < MOST_LOOKED_AT:
        async with database.acquire() as connection:
            rows = await quarantined(connection, chosen, after=report.next, limit=ROWS)
            rows = [row for row in rows if row.received_at <= now]
            if not rows:
                report.next = None
                break
            ready = [row for row in rows if _is_ready(row, plan, report)]
            stored, duplicates = await _release(connection, partitions, ready, now)
        report.released += stored
        report.duplicates += duplicates
        count_events("released", stored)
        looked_at += len(rows)
        report.next = rows[-1].place
    return report


def _is_ready(row: QuarantinedEvent, plan: Plan | None, report: ReleaseReport) -> bool:
    findings = plan.check(row.event_type, orjson.loads(row.event_data)) if plan is not None else ()
    if plan is None or not findings or plan.admits_unknown(findings):
        return True
    report.still_broken += 1
    for finding in findings:
        if finding.reason in report.reasons or len(report.reasons) < MOST_REASONS:
            report.reasons[finding.reason] += 1
    return False


async def _release(
    connection: asyncpg.Connection, partitions: Partitions, ready: list[QuarantinedEvent], now: datetime
) -> tuple[int, int]:
    if not ready:
        return 0, 0
    attempt = 0
    while True:
        attempt += 1
        try:
            return await quarantine.release(connection, partitions, ready, now)
        except CommitUnknown as error:
            raise Unavailable("The database went away; release again, nothing is stored twice.") from error
        except (*TRY_AGAIN, asyncpg.CheckViolationError):
            # Another release met this one, or a partition was dropped in between; it is made anew.
            if attempt == ATTEMPTS:
                raise Unavailable("The quarantine is busy; release again.") from None
        await asyncio.sleep(0.05 * attempt)
