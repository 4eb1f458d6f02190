"""What erased events leave behind elsewhere: keys, entries of the ledgers, counts by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import asyncpg

from analytics_api.domain.project import Project
from analytics_api.store.chunk_table import COUNTED, MONEY_TYPES, empty_chunk, fill_chunk
from analytics_api.store.rollups import PAYMENTS, mark_dirty

DELETION = "deletion"
"""Cause of a dirty day: events of it were erased."""


async def remove_traces(
    connection: asyncpg.Connection, project: Project, rows: Sequence[asyncpg.Record]
) -> None:
    """What is kept of single events elsewhere."""
    persons, seqs = [row["person_id"] for row in rows], [row["seq"] for row in rows]
    by_id = persons, [row["event_id"] for row in rows]
    for table in ("event_keys", "sandbox_payloads", "quarantined_events"):
        await connection.execute(
            f"""
            DELETE FROM {table} held USING unnest($1::uuid[], $2::uuid[]) AS gone (person_id, event_id)
            WHERE held.person_id = gone.person_id AND held.event_id = gone.event_id
            """,
            *by_id,
        )
    for table in ("parked_events", "dead_events", "single_attempts"):
        await connection.execute(
            f"DELETE FROM {table} WHERE project_id = $1 AND person_id = ANY ($2::uuid[]) AND seq = ANY ($3::bigint[])",
            project.id,
            persons,
            seqs,
        )
    # A sample may be of any of the events.
    await connection.execute(
        "UPDATE ingestion_warnings SET sample = NULL WHERE project_id = $1 AND event_type = ANY ($2) AND sample IS NOT NULL",
        project.id,
        list({row["event_type"] for row in rows}),
    )


_ENTRIES = "{table}.project_id = $1 AND person_id = ANY ($2::uuid[]) AND seq = ANY ($3::bigint[])"


async def remove_entries(
    connection: asyncpg.Connection, project: Project, rows: Sequence[asyncpg.Record], upto: int, now: datetime
) -> None:
    """Entries of the ledgers. Where a payment was sent twice the first counted; now the other does."""
    scope = project.id, [row["person_id"] for row in rows], [row["seq"] for row in rows]
    await connection.execute(
        f"DELETE FROM subscription_changes WHERE {_ENTRIES.format(table='subscription_changes')}", *scope
    )
    gone = await connection.fetch(
        f"DELETE FROM payments WHERE {_ENTRIES.format(table='payments')} RETURNING entry_id, payment_id",
        *scope,
    )
    ids = {row["entry_id"] for row in gone} | {row["payment_id"] for row in gone}
    if not ids:
        return
    where = f"""
        event_type = ANY ($5) AND (event_data ->> 'payment_id' = ANY ($6) OR event_data ->> 'refund_id' = ANY ($6))
        AND {COUNTED.format(upto="$7")}
    """
    if await fill_chunk(connection, project, where, list(MONEY_TYPES), list(ids), upto):
        days = await connection.fetch("SELECT DISTINCT day FROM chunk")
        await connection.execute(PAYMENTS.sql, project.id, project.currency)
        await mark_dirty(connection, project, {row["day"] for row in days}, now, DELETION)
    await empty_chunk(connection)


async def rename_entries(
    connection: asyncpg.Connection, project: Project, rows: Sequence[asyncpg.Record], secret: str
) -> None:
    """Entries of the ledgers go to the persons that anonymised events have."""
    for table in ("payments", "subscription_changes"):
        await connection.execute(
            f"""
            UPDATE {table} SET person_id = md5($4::text || coalesce((
                SELECT canonical_id FROM person_merges m WHERE m.person_id = {table}.person_id), person_id)::text)::uuid
            WHERE {_ENTRIES.format(table=table)}
            """,
            project.id,
            [row["person_id"] for row in rows],
            [row["seq"] for row in rows],
            secret,
        )


async def correct_days(
    connection: asyncpg.Connection,
    project: Project,
    rows: Sequence[asyncpg.Record],
    gone: Sequence[asyncpg.Record],
    upto: int,
    now: datetime,
) -> tuple[set[date], set[date]]:
    """Take `gone` out of the counts by day. Sealed days keep theirs. Returns the days of `rows`: those that changed, the sealed ones."""
    days = await connection.fetch(
        """
        SELECT days.day, coalesce(state = 'sealed', false) AS sealed FROM (
            SELECT DISTINCT (at AT TIME ZONE $2)::date AS day FROM unnest($3::timestamptz[]) AS moments (at)) AS days
        LEFT JOIN project_days held ON held.project_id = $1 AND held.day = days.day
        """,
        project.id,
        project.zone.key,
        [row["occurred_at"] for row in rows],
    )
    sealed = {row["day"] for row in days if row["sealed"]}
    changed = {row["day"] for row in days} - sealed
    await connection.execute(
        """
        WITH lost AS (
            SELECT (at AT TIME ZONE $2)::date AS day, event_type, is_bot, count(*) AS events
            FROM unnest($3::bigint[], $4::timestamptz[], $5::text[], $6::bool[]) AS gone (seq, at, event_type, is_bot)
            WHERE seq <= $7 AND (at AT TIME ZONE $2)::date = ANY ($8::date[])
              AND NOT EXISTS (SELECT 1 FROM rollup_failures f WHERE f.project_id = $1 AND f.seq = gone.seq)
            GROUP BY 1, 2, 3
        ), emptied AS (
            DELETE FROM event_days held USING lost
            WHERE held.project_id = $1 AND (held.day, held.event_type, held.is_bot) = (lost.day, lost.event_type, lost.is_bot)
              AND held.events <= lost.events
        )
        UPDATE event_days held SET events = held.events - lost.events FROM lost
        WHERE held.project_id = $1 AND (held.day, held.event_type, held.is_bot) = (lost.day, lost.event_type, lost.is_bot)
          AND held.events > lost.events
        """,
        project.id,
        project.zone.key,
        [row["seq"] for row in gone],
        [row["occurred_at"] for row in gone],
        [row["event_type"] for row in gone],
        [row["is_bot"] for row in gone],
        upto,
        list(changed),
    )
    await connection.execute(
        "DELETE FROM rollup_failures WHERE project_id = $1 AND seq = ANY ($2::bigint[])",
        project.id,
        [row["seq"] for row in gone],
    )
    await mark_dirty(connection, project, changed, now, DELETION)
    return changed, sealed
