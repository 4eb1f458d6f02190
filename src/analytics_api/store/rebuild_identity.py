"""Who is who, decided again from the log: a part of rebuilding. Each function is one step, as in rebuild.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from analytics_api.domain.event import SYSTEM_TYPES
from analytics_api.domain.project import Project
from analytics_api.store.chunk_table import any_sealed
from analytics_api.store.identity import Pair, keep_links, regroup, said_in
from analytics_api.store.moving import move_persons
from analytics_api.store.recount import count_again

_STRETCH = timedelta(days=7)
"""Events of this time are in memory at once."""


async def replace_links(connection: asyncpg.Connection, project: Project, upto: int, now: datetime) -> int:
    """Make the links between ids from all identity events that are left. Returns how many were different.

    What was said by events that retention has removed still holds.
    """
    await connection.execute(
        "CREATE TEMPORARY TABLE said_links (LIKE person_links INCLUDING INDEXES) ON COMMIT DROP"
    )
    begin, end = await connection.fetchrow(
        """
        SELECT min(occurred_at), max(occurred_at) FROM events
        WHERE project_id = $1 AND event_type = ANY ($2) AND seq <= $3
        """,
        project.id,
        list(SYSTEM_TYPES),
        upto,
    ) or (None, None)
    while begin is not None and begin <= end:
        rows = await connection.fetch(
            """
            SELECT event_type, user_id, anonymous_id, event_data, trusted, occurred_at FROM events
            WHERE project_id = $1 AND event_type = ANY ($2) AND seq <= $3 AND occurred_at >= $4 AND occurred_at < $5
              AND has_person
              AND NOT EXISTS (SELECT 1 FROM rollup_failures f WHERE f.project_id = $1 AND f.seq = events.seq)
            """,
            project.id,
            list(SYSTEM_TYPES),
            upto,
            begin,
            begin + _STRETCH,
        )
        await keep_links(connection, project, said_in(project, rows), "said_links")
        begin += _STRETCH
    if await any_sealed(connection, project):
        await connection.execute(_ADD_HELD, project.id)
    news = [tuple(row) for row in await connection.fetch(_REPLACE_LINKS, project.id)]
    await _follow(connection, project, news, upto, now)
    return len(news)


_ADD_HELD = """
    INSERT INTO said_links AS said SELECT * FROM person_links WHERE project_id = $1
    ON CONFLICT (person_id, other_id) DO UPDATE SET
        claimed_at = least(said.claimed_at, excluded.claimed_at),
        trusted_at = least(said.trusted_at, excluded.trusted_at),
        joined_at = greatest(said.joined_at, excluded.joined_at),
        undone_at = greatest(said.undone_at, excluded.undone_at)
"""

_REPLACE_LINKS = """
    WITH gone AS (
        DELETE FROM person_links held WHERE project_id = $1 AND NOT EXISTS (
            SELECT 1 FROM said_links said WHERE said.person_id = held.person_id AND said.other_id = held.other_id)
        RETURNING person_id, other_id, known
    ), changed AS (
        UPDATE person_links held SET known = said.known, claimed_at = said.claimed_at, trusted_at = said.trusted_at,
            joined_at = said.joined_at, undone_at = said.undone_at
        FROM said_links said
        WHERE said.person_id = held.person_id AND said.other_id = held.other_id AND said IS DISTINCT FROM held
        RETURNING held.person_id, held.other_id, held.known
    ), added AS (
        INSERT INTO person_links SELECT * FROM said_links said WHERE NOT EXISTS (
            SELECT 1 FROM person_links held WHERE said.person_id = held.person_id AND said.other_id = held.other_id)
        RETURNING person_id, other_id, known
    )
    SELECT * FROM gone UNION ALL SELECT * FROM changed UNION ALL SELECT * FROM added
"""


async def replace_merges(
    connection: asyncpg.Connection, project: Project, after: Pair | None, limit: int, upto: int, now: datetime
) -> Pair | None:
    """Decide again who counts as whom, for the next `limit` pairs of ids. Returns where it stopped, None at the end."""
    person, other, _ = after or (UUID(int=0), UUID(int=0), False)
    rows = await connection.fetch(
        """
        SELECT person_id, other_id, known FROM (
            SELECT person_id, other_id, known FROM person_links WHERE project_id = $1
            UNION ALL
            SELECT person_id, canonical_id, false FROM person_merges m WHERE project_id = $1 AND NOT EXISTS (
                SELECT 1 FROM person_links l WHERE l.person_id = m.person_id)
        ) AS pairs
        WHERE (person_id, other_id) > ($2, $3) ORDER BY person_id, other_id LIMIT $4
        """,
        project.id,
        person,
        other,
        limit,
    )
    pairs: list[Pair] = [tuple(row) for row in rows]
    await _follow(connection, project, pairs, upto, now)
    return pairs[-1] if len(pairs) == limit else None


async def _follow(
    connection: asyncpg.Connection, project: Project, pairs: Sequence[Pair], upto: int, now: datetime
) -> None:
    change = await regroup(connection, project, pairs)
    if change.counted:
        await count_again(connection, project, change, upto, now)
    if change.moves:
        await move_persons(connection, project, change, upto, now)
