"""The days of a project: which are closed, which changed afterwards, and how far the rollups are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.metrics import Metric
from analytics_api.domain.period import next_bucket
from analytics_api.store.engine import Database
from analytics_api.store.statements import Asked, fetch

ROLLUP_READER = "rollups"
SPEND = "spend"
"""Cause of a dirty day: acquisition spend was entered."""
MERGE, SPLIT = "merge", "split"
"""Causes: persons became one; a person is two again."""
MERGE_OF_CUSTOMERS, SPLIT_OF_CUSTOMERS = "merge of customers", "split of customers"
"""The same, of persons with subscriptions."""
TIME_ZONE = "time_zone"
"""Cause of a change: the project has another time zone."""
REBUILD = "rebuild"
"""Cause: rollups were made from the log again."""


@asynccontextmanager
async def figures_transaction(database: Database) -> AsyncIterator[AsyncConnection]:
    """One transaction on one snapshot, committed at the end. May end in a serialization failure: do it again."""
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            yield connection


async def rollup_position(connection: AsyncConnection, project_id: int) -> int | None:
    """How far the rollup reader of a project is; None while there is none."""
    position: int | None = await connection.scalar(
        text("SELECT position FROM readers WHERE project_id = :project AND name = :reader"),
        {"project": project_id, "reader": ROLLUP_READER},
    )
    return position


async def hold_rollups(connection: AsyncConnection, project_id: int) -> None:
    """Keep the rollup reader of a project out until this transaction ends.

    The row is *updated* to what it is, because a mere lock would not do: a chunk that was begun before this transaction
    committed does not see the days that it closes and would not mark them dirty. After an update that chunk fails to
    serialise at its last statement, which moves the same row, and is counted again. In a REPEATABLE READ transaction
    this must come first.
    """
    await connection.execute(
        text("UPDATE readers SET updated_at = updated_at WHERE project_id = :project AND name = :reader"),
        {"project": project_id, "reader": ROLLUP_READER},
    )


async def first_day(connection: AsyncConnection, project_id: int) -> date | None:
    """The first local day with an event; None before there is any."""
    day: date | None = await connection.scalar(
        text("SELECT min(day) FROM event_days WHERE project_id = :project"), {"project": project_id}
    )
    return day


async def first_unclosed(
    connection: AsyncConnection, project_id: int, first: date, last: date
) -> date | None:
    """The earliest day from `first` to `last` that is not closed; None when all are."""
    day: date | None = await connection.scalar(
        text(
            """
            SELECT min(due.day)::date
            FROM generate_series(CAST(:first AS date)::timestamp, CAST(:last AS date)::timestamp, interval '1 day') AS due (day)
            LEFT JOIN project_days closed ON closed.project_id = :project AND closed.day = due.day::date
            WHERE closed.day IS NULL
            """
        ),
        {"project": project_id, "first": first, "last": last},
    )
    return day


async def close_days(
    connection: AsyncConnection, project_id: int, first: date, last: date, final_until: date, now: datetime
) -> int:
    """Close the days from `first` to `last` that are not closed. Returns how many.

    Days that lie before closed ones (history that came late) are marked dirty at once, with the cause `backfill`: the
    figures of the later days look back on them.
    """
    [row] = await fetch(
        connection,
        """
        WITH closed AS (
            INSERT INTO project_days (project_id, day, state, closed_at)
            SELECT :project, due.day::date, CASE WHEN due.day::date <= :final_until THEN 'final' ELSE 'settling' END, :now
            FROM generate_series(CAST(:first AS date)::timestamp, CAST(:last AS date)::timestamp, interval '1 day') AS due (day)
            ON CONFLICT (project_id, day) DO NOTHING
            RETURNING day
        ), marked AS (
            INSERT INTO dirty_days (project_id, day, cause, events, marked_at)
            SELECT :project, day, 'backfill', 0, :now FROM closed
            WHERE EXISTS (SELECT 1 FROM project_days later WHERE later.project_id = :project AND later.day > closed.day)
            ON CONFLICT (project_id, day, cause) DO UPDATE SET marked_at = excluded.marked_at
        )
        SELECT count(*) AS closed FROM closed
        """,
        {"project": project_id, "first": first, "last": last, "final_until": final_until, "now": now},
    )
    return int(row.closed)


async def settle_days(connection: AsyncConnection, project_id: int, final_until: date) -> None:
    """Days up to `final_until` become final."""
    await connection.execute(
        text(
            """
            UPDATE project_days SET state = 'final'
            WHERE project_id = :project AND state = 'settling' AND day <= :final_until
            """
        ),
        {"project": project_id, "final_until": final_until},
    )


@dataclass(frozen=True, slots=True)
class DirtyDay:
    """A closed day whose rollups changed, and why."""

    day: date
    cause: str
    events: int


async def take_dirty_days(connection: AsyncConnection, project_id: int) -> list[DirtyDay]:
    """Closed days whose figures are to be made again, oldest first, and forget them; the caller makes their figures again in this transaction."""
    rows = await fetch(
        connection,
        "DELETE FROM dirty_days WHERE project_id = :project RETURNING day, cause, events",
        {"project": project_id},
    )
    return sorted((DirtyDay(*row) for row in rows), key=lambda dirty: (dirty.day, dirty.cause))


@dataclass(frozen=True, slots=True)
class SealedDays:
    """Days whose raw events retention has removed: their figures stay as they are."""

    days: frozenset[date] = frozenset()
    late: Mapping[date, int] = field(default_factory=dict)
    """Events that came for sealed days afterwards and are in no figure."""

    def holds(self, metric: Metric, bucket: date) -> bool:
        """Whether all days of a bucket are sealed."""
        if not self.days:
            return False
        end = next_bucket(bucket, metric.period)
        return all(bucket + timedelta(days=n) in self.days for n in range((end - bucket).days))

    def touches(self, metric: Metric, bucket: date) -> bool:
        """Whether a day of a bucket is sealed."""
        end = next_bucket(bucket, metric.period)
        return any(bucket <= day < end for day in self.days)

    def late_in(self, metric: Metric, bucket: date) -> int:
        """Events that came too late for days of a bucket."""
        if not self.late:
            return 0
        end = next_bucket(bucket, metric.period)
        return sum(events for day, events in self.late.items() if bucket <= day < end)


async def sealed_days(connection: AsyncConnection, project_id: int, first: date, last: date) -> SealedDays:
    """The sealed days from `first` to `last`."""
    rows = await fetch(
        connection,
        """
        SELECT day, coalesce(late.events, 0) AS late FROM project_days
        LEFT JOIN late_unapplied late USING (project_id, day)
        WHERE project_id = :project AND day BETWEEN :first AND :last AND state = 'sealed'
        """,
        {"project": project_id, "first": first, "last": last},
    )
    return SealedDays(
        frozenset(row.day for row in rows), {row.day: int(row.late) for row in rows if row.late}
    )


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the figures are behind the log."""

    events: int
    """Stored events that are not counted yet; a lower bound when many wait."""
    since: datetime | None
    """Arrival of the oldest of them, as far as it is known."""


def lag_asked(project_id: int) -> Asked:
    """The statement behind `rollup_lag`: one row."""
    return Asked(
        """
        WITH reader AS (
            SELECT coalesce(max(position), 0) AS position FROM readers
            WHERE project_id = :project AND name = :reader
        )
        SELECT coalesce(sum(waiting.events), 0) AS events, min(waiting.received_at) AS since FROM (
            SELECT events, received_at FROM event_groups, reader
            WHERE project_id = :project AND last_seq > reader.position
            UNION ALL
            -- Of what is summed up already it is only known that something waits.
            SELECT 1, last_received_at FROM partition_ranges, reader
            WHERE project_id = :project AND last_seq > reader.position
        ) AS waiting
        """,
        {"project": project_id, "reader": ROLLUP_READER},
        ("events", "since"),
    )


async def rollup_lag(connection: AsyncConnection, project_id: int) -> Lag:
    """What the rollup reader of a project has not counted yet."""
    asked = lag_asked(project_id)
    [row] = await fetch(connection, asked.sql, asked.parameters)
    return lag_in(row)


def lag_in(row: Any) -> Lag:
    """What the row of `lag_asked` says."""
    return Lag(int(row.events), row.since)
