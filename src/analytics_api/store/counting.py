"""Counting: a chunk of the log goes into all rollups, under the persons that its events belong to."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from analytics_api.domain.project import Project
from analytics_api.store.chunk_table import (
    apply_merges,
    empty_chunk,
    fill_from_log,
    leave_out_sealed,
    make_chunk_table,
)
from analytics_api.store.identity import note_links, regroup
from analytics_api.store.log import Chunk
from analytics_api.store.moving import make_moving_table, move_persons
from analytics_api.store.properties import roll_up_properties
from analytics_api.store.recount import count_again
from analytics_api.store.rollups import ROLLUPS
from analytics_api.store.sessions import roll_up_sessions
from analytics_api.store.subscriptions import roll_up_subscriptions


async def prepare(connection: asyncpg.Connection) -> None:
    """Make the temporary tables that rollups work with, once per connection. It must not have used any before."""
    # What a chunk of 50,000 events takes: 17 MB in its table, 13 where its persons are put together.
    await connection.execute("SET temp_buffers = '32MB'")
    await connection.execute("SET work_mem = '32MB'")
    # A plan kept from when a table had one page would read all of a table that has thousands, for each row. Made anew: 1 ms a chunk.
    await connection.execute("SET plan_cache_mode = force_custom_plan")
    await make_chunk_table(connection)
    await make_moving_table(connection)


async def roll_up(connection: asyncpg.Connection, project: Project, chunk: Chunk, now: datetime) -> int:
    """Count the events of a chunk into all rollups, in the caller's transaction. Returns how many there were."""
    events = await fill_from_log(connection, project, chunk)
    if events == 0:
        return 0
    news = await note_links(connection, project)
    if news:
        # First those who are counted already, then the chunk, under the persons that they are by all that is known now.
        change = await regroup(connection, project, news)
        if change.counted:
            await empty_chunk(connection)
            await count_again(connection, project, change, chunk.after, now)
            await fill_from_log(connection, project, chunk)
        if change.moves:
            await move_persons(connection, project, change, chunk.after, now)
    await leave_out_sealed(connection, project, now)
    await apply_merges(connection, project)
    values = {"now": now, "currency": project.currency}
    for rollup in ROLLUPS:
        await connection.execute(rollup.sql, project.id, *(values[name] for name in rollup.parameters))
    await roll_up_sessions(connection, project, chunk.upto, now)
    await roll_up_subscriptions(connection, project)
    await roll_up_properties(connection)
    return events


async def note_bad_event(connection: asyncpg.Connection, chunk: Chunk, error: str, now: datetime) -> bool:
    """Remember that the one event of a chunk could not be counted. False when the chunk holds none of the project."""
    return bool(
        await connection.fetchval(
            """
            INSERT INTO rollup_failures (project_id, seq, error, failed_at)
            SELECT project_id, seq, $6, $7 FROM events
            WHERE project_id = $1 AND seq > $2 AND seq <= $3 AND occurred_at >= $4 AND occurred_at < $5
            ON CONFLICT (project_id, seq) DO UPDATE SET error = excluded.error, failed_at = excluded.failed_at
            RETURNING 1
            """,
            chunk.project_id,
            chunk.after,
            chunk.upto,
            chunk.lower,
            chunk.upper,
            error.replace("\0", "")[:2000],
            now,
        )
    )
