"""Persons counted again from the log: when one is divided, and when rollups are rebuilt.

Their rows are replaced by what their events say. Of days that are sealed the events are gone; what is known of those
stays: with the person that had it, else with the heir.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.project import Project
from analytics_api.domain.properties import completed
from analytics_api.store.chunk_table import any_sealed, apply_merges, empty_chunk, fill_with_persons
from analytics_api.store.identity import Regrouping, sent_ids
from analytics_api.store.metrics.days import SPLIT, SPLIT_OF_CUSTOMERS
from analytics_api.store.moving import count_last_active, mark_customers, move_persons
from analytics_api.store.properties import People, load_properties, roll_up_properties, write_properties
from analytics_api.store.rollups import PERSON_DAYS, PERSON_FIRSTS, PERSONS
from analytics_api.store.sessions import roll_up_sessions

_SEALED = "IN (SELECT day FROM project_days WHERE project_id = $1 AND state = 'sealed')"

_TAKE_OUT = (
    f"DELETE FROM person_days WHERE project_id = $1 AND person_id = ANY ($2::uuid[]) AND NOT day {_SEALED}",
    f"DELETE FROM sessions WHERE project_id = $1 AND person_id = ANY ($2::uuid[]) AND NOT day {_SEALED}",
    f"DELETE FROM persons WHERE project_id = $1 AND person_id = ANY ($2::uuid[]) AND NOT first_day_with_bots {_SEALED}",
)

_TAKE_OUT_FIRSTS = (
    f"""
    DELETE FROM person_firsts WHERE project_id = $1 AND person_id = ANY ($2::uuid[])
    AND NOT (first_at_with_bots AT TIME ZONE $3)::date {_SEALED}
    """,
    f"""
    UPDATE person_firsts SET first_at = NULL WHERE project_id = $1 AND person_id = ANY ($2::uuid[])
    AND NOT (first_at AT TIME ZONE $3)::date {_SEALED}
    """,
)

_KEEP_SEALED = f"""
    UPDATE persons SET
        last_seen_at = CASE WHEN (last_seen_at AT TIME ZONE $3)::date {_SEALED} THEN last_seen_at ELSE first_seen_at END,
        first_day = CASE WHEN first_day {_SEALED} THEN first_day END,
        last_active_day = sealed.last_active_day, last_active_day_with_bots = sealed.last_active_day_with_bots,
        first_signup_at = CASE WHEN first_signup_day {_SEALED} THEN first_signup_at END,
        first_signup_day = CASE WHEN first_signup_day {_SEALED} THEN first_signup_day END,
        first_payment_at = NULL,
        first_touch = CASE WHEN (first_touch_at AT TIME ZONE $3)::date {_SEALED} THEN first_touch END,
        first_touch_seq = CASE WHEN (first_touch_at AT TIME ZONE $3)::date {_SEALED} THEN first_touch_seq END,
        first_touch_at = CASE WHEN (first_touch_at AT TIME ZONE $3)::date {_SEALED} THEN first_touch_at END,
        properties = '{{}}', property_times = '{{}}'
    FROM (
        SELECT kept.person_id, max(day) FILTER (WHERE active) AS last_active_day,
               max(day) FILTER (WHERE active_with_bots) AS last_active_day_with_bots
        FROM unnest($2::uuid[]) AS kept (person_id) LEFT JOIN person_days USING (person_id) GROUP BY kept.person_id
    ) AS sealed
    WHERE persons.person_id = sealed.person_id AND persons.project_id = $1
"""

_LEAVE_SEALED_SESSIONS = """
    -- Sessions that reach out of a sealed day hold these events already.
    UPDATE chunk SET active = false FROM sessions s
    WHERE s.person_id = chunk.person_id AND s.device = coalesce(chunk.anonymous_id, '')
      AND chunk.occurred_at BETWEEN s.started_at AND s.ended_at
"""

_FIRST_PAYMENTS = """
    UPDATE persons SET first_payment_at = first.occurred_at
    FROM (
        SELECT coalesce(canonical_id, person_id) AS person_id, min(occurred_at) AS occurred_at
        FROM payments p LEFT JOIN person_merges USING (person_id)
        WHERE p.project_id = $1 AND p.person_id = ANY ($2::uuid[]) AND kind = 'payment' AND amount > 0 AND has_person
        GROUP BY 1
    ) AS first
    WHERE persons.person_id = first.person_id
"""

_MARK = """
    INSERT INTO dirty_days (project_id, day, cause, events, marked_at)
    SELECT DISTINCT $1::integer, day, $2, 0, $3::timestamptz FROM (
        SELECT day FROM person_days WHERE person_id = ANY ($4::uuid[])
    ) AS days JOIN project_days closed USING (day) WHERE closed.project_id = $1
    ON CONFLICT (project_id, day, cause) DO NOTHING
"""


async def count_again(
    connection: asyncpg.Connection,
    project: Project,
    change: Regrouping,
    upto: int,
    now: datetime,
    *,
    cause: str = SPLIT,
) -> None:
    """Replace the rollups of `change.divided` by those of `change.counted`, in the caller's transaction.

    `upto` is the last sequence number that is counted. The chunk's table must be empty and is so again afterwards.
    Closed days that this can change are marked with the cause.
    """
    members = await sent_ids(connection, change.counted)
    if cause == SPLIT:
        await mark_customers(connection, project, members, now, SPLIT_OF_CUSTOMERS)
    await connection.execute(_MARK, project.id, cause, now, list(change.divided))
    sealed = await any_sealed(connection, project)
    kept = await load_properties(connection, list(change.divided)) if sealed else {}
    await _take_out(connection, project, change.divided, upto, now, sealed=sealed)

    await fill_with_persons(connection, project, list(members), upto)
    await apply_merges(connection, project)
    for rollup in (PERSON_DAYS, PERSONS, PERSON_FIRSTS):
        await connection.execute(rollup.sql, project.id)
    await connection.execute(_FIRST_PAYMENTS, project.id, list(members))
    await roll_up_properties(connection)
    if sealed:
        await _complete(connection, change.divided, kept)
        await connection.execute(_LEAVE_SEALED_SESSIONS)
    await roll_up_sessions(connection, project, upto, now, cause=cause)
    await empty_chunk(connection)
    await connection.execute(_MARK, project.id, cause, now, list(change.counted))


async def _take_out(
    connection: asyncpg.Connection,
    project: Project,
    divided: Mapping[UUID, UUID],
    upto: int,
    now: datetime,
    *,
    sealed: bool,
) -> None:
    """Take out what can be counted again; the rest goes to the heirs."""
    persons = list(divided)
    await count_last_active(connection, project, persons, -1)
    for statement in _TAKE_OUT:
        await connection.execute(statement, project.id, persons)
    for statement in _TAKE_OUT_FIRSTS:
        await connection.execute(statement, project.id, persons, project.zone.key)
    if sealed:
        await connection.execute(_KEEP_SEALED, project.id, persons, project.zone.key)
        await count_last_active(connection, project, persons, 1)
        moves = {person: heir for person, heir in divided.items() if person != heir}
        await move_persons(connection, project, Regrouping(moves), upto, now)


async def _complete(connection: asyncpg.Connection, divided: Mapping[UUID, UUID], kept: People) -> None:
    """Give the heirs those properties back that the remaining events say nothing of."""
    heirs = {divided[person]: state for person, state in kept.items()}
    people = await load_properties(connection, list(heirs))
    await write_properties(
        connection, {person: completed(state, heirs[person]) for person, state in people.items()}
    )
