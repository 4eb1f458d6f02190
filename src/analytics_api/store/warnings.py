"""Warnings of intake, counted: one row for each kind, event type and field of a project, and not more than it may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from analytics_api.domain.plan import WarningKind

MOST_WARNINGS = 1_000
"""Rows of a project. What does not fit is counted in one row of kind `other`."""


class WarningKey(NamedTuple):
    """What warnings are counted by."""

    project_id: int
    kind: WarningKind
    event_type: str
    path: str


@dataclass(slots=True)
class WarningCount:
    """What is known of the events behind a warning. `sample` is JSON text of one of them."""

    events: int
    first_seen: datetime
    last_seen: datetime
    message: str
    sample: str | None

    def add(self, other: WarningCount) -> None:
        """Count the events of another one in."""
        self.events += other.events
        self.first_seen = min(self.first_seen, other.first_seen)
        self.last_seen = max(self.last_seen, other.last_seen)


@dataclass(frozen=True, slots=True)
class StoredWarning:
    """A row of the list. `sample` is JSON text."""

    kind: str
    event_type: str
    path: str
    events: int
    first_seen: datetime
    last_seen: datetime
    message: str
    sample: str | None


_ADD = """
    WITH sent AS (
        SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[],
                             $7::timestamptz[], $8::text[], $9::text[])
            AS sent (project_id, kind, event_type, path, events, first_seen, last_seen, message, sample)
    ), ranked AS (
        SELECT sent.*, stored.project_id IS NOT NULL OR sent.kind = 'other' AS is_known,
            row_number() OVER (PARTITION BY sent.project_id, stored.project_id IS NOT NULL ORDER BY sent.events DESC)
            + (SELECT count(*) FROM ingestion_warnings w WHERE w.project_id = sent.project_id) AS place
        FROM sent LEFT JOIN ingestion_warnings stored USING (project_id, kind, event_type, path)
    ), placed AS (
        SELECT project_id, events, first_seen, last_seen, message, sample,
            CASE WHEN fits THEN kind ELSE 'other' END AS kind,
            CASE WHEN fits THEN event_type ELSE '' END AS event_type,
            CASE WHEN fits THEN path ELSE '' END AS path,
            fits
        FROM (SELECT *, is_known OR place < $10 AS fits FROM ranked) AS all_of_them
    )
    INSERT INTO ingestion_warnings AS stored
        (project_id, kind, event_type, path, events, first_seen, last_seen, message, sample)
    SELECT project_id, kind, event_type, path, sum(events), min(first_seen), max(last_seen),
        CASE WHEN kind = 'other' THEN $11 ELSE min(message) END,
        CASE WHEN kind = 'other' THEN NULL ELSE min(sample) END
    FROM placed GROUP BY project_id, kind, event_type, path
    ORDER BY project_id, kind, event_type, path
    ON CONFLICT (project_id, kind, event_type, path) DO UPDATE SET
        events = stored.events + excluded.events,
        first_seen = least(stored.first_seen, excluded.first_seen),
        last_seen = greatest(stored.last_seen, excluded.last_seen),
        message = excluded.message,
        sample = coalesce(excluded.sample, stored.sample)
"""

OTHER_MESSAGE = "more different warnings than are kept apart"


async def add_warnings(
    connection: asyncpg.Connection, counts: Mapping[WarningKey, WarningCount], *, most: int = MOST_WARNINGS
) -> None:
    """Add counts to those that are stored, in one statement. Any number of processes may do so at once."""
    if not counts:
        return
    keys = list(zip(*counts, strict=True))
    values = [
        (count.events, count.first_seen, count.last_seen, count.message, count.sample)
        for count in counts.values()
    ]
    await connection.execute(_ADD, *keys, *zip(*values, strict=True), most, OTHER_MESSAGE)


async def list_warnings(
    connection: asyncpg.Connection,
    project_id: int,
    *,
    kind: WarningKind | None = None,
    event_type: str | None = None,
    limit: int = MOST_WARNINGS,
) -> list[StoredWarning]:
    """A project's warnings, the newest first."""
    rows = await connection.fetch(
        """
        SELECT kind, event_type, path, events, first_seen, last_seen, message, sample
        FROM ingestion_warnings
        WHERE project_id = $1 AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR event_type = $3)
        ORDER BY last_seen DESC, events DESC, kind, event_type, path
        LIMIT $4
        """,
        project_id,
        kind,
        event_type,
        limit,
    )
    return [StoredWarning(**row) for row in rows]


async def purge_warnings(connection: asyncpg.Connection, before: datetime) -> int:
    """Forget warnings not seen since a time, of all projects. Returns how many."""
    status = await connection.execute("DELETE FROM ingestion_warnings WHERE last_seen < $1", before)
    return int(status.rsplit(" ", 1)[1])
