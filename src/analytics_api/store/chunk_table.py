"""The temporary table that rollups read: events under the persons they belong to by all merges.

`sent_id` is the person that the event was sent for and never changes; `person_id` is who that is today.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.event import INACTIVE_EVENT_TYPES, EventType
from analytics_api.domain.project import Project
from analytics_api.store.log import Chunk


def active(inactive_types: str) -> str:
    """SQL: whether an event makes its person active. `context.automatic` says that no person caused it, such as a webhook."""
    return f"(event_type <> ALL ({inactive_types}) AND context -> 'automatic' IS DISTINCT FROM 'true'::jsonb)"


_TABLE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS chunk (
        seq bigint, event_id uuid, sent_id uuid, person_id uuid, has_person boolean, user_id text, anonymous_id text,
        event_type text, event_data jsonb, user_properties jsonb, revenue numeric, currency text,
        occurred_at timestamptz, day date, is_bot boolean, active boolean, trusted boolean, source jsonb
    ) ON COMMIT DELETE ROWS
"""

_FILL = f"""
    INSERT INTO chunk
    SELECT seq, event_id, person_id, person_id, has_person, user_id, anonymous_id, event_type,
           CASE WHEN event_type = ANY ($4) THEN event_data END,
           CASE WHEN has_person THEN user_properties END,
           revenue, currency, occurred_at, (occurred_at AT TIME ZONE $2)::date, is_bot,
           {active("$3")}, trusted,
           -- A move inside the site is no touch.
           CASE WHEN has_person AND NOT is_bot AND context -> 'source' ->> 'channel' <> 'internal' THEN context -> 'source' END
    FROM events
    WHERE project_id = $1
"""

OF_STRETCH = "seq > $5 AND seq <= $6 AND occurred_at >= $7 AND occurred_at < $8"

COUNTED = """
    seq <= {upto} AND NOT EXISTS (
        SELECT 1 FROM rollup_failures f WHERE f.project_id = events.project_id AND f.seq = events.seq)
    AND (occurred_at AT TIME ZONE $2)::date NOT IN (
        SELECT day FROM project_days WHERE project_id = $1 AND state = 'sealed')
"""
"""Events that rollups may be made from again: counted, whole and not on sealed days. $1 project, $2 zone."""

_KEPT_DATA = (
    EventType.PAYMENT_COMPLETED,
    EventType.PAYMENT_FAILED,
    EventType.PAYMENT_REFUNDED,
    EventType.PAYMENT_CHARGEBACK,
    EventType.PAYMENT_LINKED,
    EventType.SUBSCRIPTION_CREATED,
    EventType.SUBSCRIPTION_RENEWED,
    EventType.SUBSCRIPTION_PAST_DUE,
    EventType.SUBSCRIPTION_CANCELLED,
    EventType.SUBSCRIPTION_UPGRADED,
    EventType.SUBSCRIPTION_DOWNGRADED,
    EventType.ALIAS,
    EventType.UNALIAS,
)
"""Types whose data rollups look into."""

MONEY_TYPES = tuple(kind.value for kind in _KEPT_DATA if not kind.startswith("$"))


async def make_chunk_table(connection: asyncpg.Connection) -> None:
    """Make the table, once per connection. It is empty again after each transaction."""
    await connection.execute(_TABLE)


async def fill_chunk(
    connection: asyncpg.Connection, project: Project, where: str, *parameters: object
) -> int:
    """Put the events into the table for which `where` holds ($5 and on are `parameters`). Returns how many."""
    status = await connection.execute(
        f"{_FILL} AND {where}",
        project.id,
        project.zone.key,
        list(INACTIVE_EVENT_TYPES),
        [kind.value for kind in _KEPT_DATA],
        *parameters,
    )
    return int(status.rsplit(" ", 1)[1])


async def fill_from_log(connection: asyncpg.Connection, project: Project, chunk: Chunk) -> int:
    """Put the events of a stretch of the log into the table. Returns how many."""
    return await fill_chunk(
        connection, project, OF_STRETCH, chunk.after, chunk.upto, chunk.lower, chunk.upper
    )


async def fill_with_persons(
    connection: asyncpg.Connection, project: Project, sent_ids: Sequence[UUID], upto: int
) -> int:
    """Put the counted events of some persons, as they were sent, into the table. Returns how many."""
    where = f"person_id = ANY ($6) AND {COUNTED.format(upto='$5')}"
    return await fill_chunk(connection, project, where, upto, sent_ids)


async def any_sealed(connection: asyncpg.Connection, project: Project) -> bool:
    """Whether retention has removed events of the project, so that not everything can be counted again."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM project_days WHERE project_id = $1 AND state = 'sealed')",
            project.id,
        )
    )


async def leave_out_sealed(connection: asyncpg.Connection, project: Project, now: datetime) -> None:
    """Take the events of sealed days out of the table and count them as `late_unapplied`."""
    if not await any_sealed(connection, project):
        return
    await connection.execute(
        """
        WITH late AS (
            DELETE FROM chunk USING project_days d
            WHERE d.project_id = $1 AND d.state = 'sealed' AND d.day = chunk.day RETURNING chunk.day
        )
        INSERT INTO late_unapplied AS known (project_id, day, events, last_at)
        SELECT $1, day, count(*), $2 FROM late GROUP BY day ORDER BY day
        ON CONFLICT (project_id, day) DO UPDATE SET
            events = known.events + excluded.events, last_at = excluded.last_at
        """,
        project.id,
        now,
    )


async def empty_chunk(connection: asyncpg.Connection) -> None:
    """Take everything out of the table again."""
    await connection.execute("DELETE FROM chunk")


async def apply_merges(connection: asyncpg.Connection, project: Project) -> None:
    """Give the events in the table to the persons that they belong to by now."""
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM person_merges WHERE project_id = $1)", project.id
    ):
        return
    await connection.execute(
        """
        WITH merged AS MATERIALIZED (
            -- An array, so that each person is looked up by the index whatever the statistics say.
            SELECT person_id, canonical_id FROM person_merges
            WHERE person_id = ANY (ARRAY(SELECT DISTINCT sent_id FROM chunk WHERE has_person))
        )
        UPDATE chunk SET person_id = merged.canonical_id FROM merged WHERE chunk.sent_id = merged.person_id
        """
    )
