"""Rollups of persons who have become somebody else as a whole: their rows are added to the other's and go.

This is what nearly every merge is: a visitor says who they are. It costs the rows of the one who joins, not events.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.project import Project
from analytics_api.store.identity import Regrouping
from analytics_api.store.metrics.days import MERGE, MERGE_OF_CUSTOMERS
from analytics_api.store.properties import joined_properties, write_properties
from analytics_api.store.rollups import ONE_OF_TWO
from analytics_api.store.sessions import roll_up_sessions

_TABLE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS moved_sessions (
        person_id uuid, device text, started_at timestamptz, ended_at timestamptz, events int, page_views int,
        is_bot boolean
    ) ON COMMIT DELETE ROWS
"""

_MOVES = "moves AS (SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS m (old_id, new_id))"

_MARK = f"""
    WITH {_MOVES}, firsts AS (
        SELECT new_id, min(first_day) AS first_day, min(first_day_with_bots) AS first_day_with_bots,
               min(first_signup_day) AS first_signup_day,
               min((first_payment_at AT TIME ZONE $6)::date) AS first_payment_day
        FROM moves JOIN persons ON person_id = old_id GROUP BY new_id
    ), known AS (
        SELECT firsts.*, p.first_day AS day, p.first_day_with_bots AS day_with_bots, p.first_signup_day AS signup_day,
               (p.first_payment_at AT TIME ZONE $6)::date AS payment_day
        FROM firsts JOIN persons p ON p.person_id = new_id
    ), days AS (
        SELECT day FROM moves JOIN person_days ON person_id = old_id
        UNION
        -- Days that lose a new person, because the one who joins was there earlier.
        SELECT unnest(ARRAY[
            CASE WHEN first_day <= day THEN day END,
            CASE WHEN first_day_with_bots <= day_with_bots THEN day_with_bots END,
            CASE WHEN first_signup_day <= signup_day THEN signup_day END,
            CASE WHEN first_payment_day <= payment_day THEN payment_day END
        ]) FROM known
    )
    INSERT INTO dirty_days (project_id, day, cause, events, marked_at)
    SELECT $1, day, $5, 0, $4 FROM days JOIN project_days closed USING (day) WHERE closed.project_id = $1 ORDER BY day
    ON CONFLICT (project_id, day, cause) DO NOTHING
"""

_MARK_CUSTOMERS = """
    -- Whatever changes, changes from the first of these days on, and the figures reach that far.
    INSERT INTO dirty_days (project_id, day, cause, events, marked_at)
    SELECT $1, min(closed.day), $5, 0, $4
    FROM (
        SELECT min((occurred_at AT TIME ZONE $2)::date) AS day FROM subscription_changes
        WHERE project_id = $1 AND person_id = ANY ($3::uuid[])
    ) AS first JOIN project_days closed ON closed.day >= first.day
    WHERE closed.project_id = $1 HAVING count(*) > 0
    ON CONFLICT (project_id, day, cause) DO NOTHING
"""

_MOVE_DAYS = f"""
    WITH {_MOVES}, gone AS (
        DELETE FROM person_days USING moves WHERE person_id = old_id
        RETURNING new_id, day, active, active_with_bots, events
    )
    INSERT INTO person_days AS known (person_id, day, project_id, active, active_with_bots, events)
    SELECT new_id, day, $1, bool_or(active), bool_or(active_with_bots), sum(events)
    FROM gone GROUP BY new_id, day ORDER BY new_id, day
    ON CONFLICT (person_id, day) DO UPDATE SET
        active = known.active OR excluded.active,
        active_with_bots = known.active_with_bots OR excluded.active_with_bots,
        events = known.events + excluded.events
"""

_MOVE_FIRSTS = f"""
    WITH {_MOVES}, gone AS (
        DELETE FROM person_firsts USING moves WHERE person_id = old_id
        RETURNING new_id, event_type, first_at, first_at_with_bots
    )
    INSERT INTO person_firsts AS known (person_id, event_type, project_id, first_at, first_at_with_bots)
    SELECT new_id, event_type, $1, min(first_at), min(first_at_with_bots)
    FROM gone GROUP BY new_id, event_type ORDER BY new_id, event_type
    ON CONFLICT (person_id, event_type) DO UPDATE SET
        first_at = least(known.first_at, excluded.first_at),
        first_at_with_bots = least(known.first_at_with_bots, excluded.first_at_with_bots)
"""

_TOUCH = ", ".join(
    f"""{column} = CASE WHEN known.first_touch_at IS NULL
            OR (excluded.first_touch_at, excluded.first_touch_seq) < (known.first_touch_at, known.first_touch_seq)
        THEN excluded.{column} ELSE known.{column} END"""
    for column in ("first_touch", "first_touch_at", "first_touch_seq")
)

_MOVE_PERSONS = f"""
    WITH {_MOVES}, gone AS (
        DELETE FROM persons USING moves WHERE person_id = old_id RETURNING new_id, persons.*
    ), touch AS (
        SELECT DISTINCT ON (new_id) new_id, first_touch, first_touch_at, first_touch_seq FROM gone
        WHERE first_touch_at IS NOT NULL ORDER BY new_id, first_touch_at, first_touch_seq
    ), joined AS (
        SELECT new_id, min(anonymous_id) AS anonymous_id, min(first_seen_at) AS first_seen_at,
               max(last_seen_at) AS last_seen_at, min(first_day) AS first_day,
               min(first_day_with_bots) AS first_day_with_bots, max(last_active_day) AS last_active_day,
               max(last_active_day_with_bots) AS last_active_day_with_bots, min(first_signup_at) AS first_signup_at,
               min(first_signup_day) AS first_signup_day, min(first_payment_at) AS first_payment_at
        FROM gone GROUP BY new_id
    )
    INSERT INTO persons AS known (person_id, project_id, anonymous_id, first_seen_at, last_seen_at, first_day,
        first_day_with_bots, last_active_day, last_active_day_with_bots, first_signup_at, first_signup_day,
        first_payment_at, first_touch, first_touch_at, first_touch_seq)
    SELECT new_id, $1, anonymous_id, first_seen_at, last_seen_at, first_day, first_day_with_bots, last_active_day,
           last_active_day_with_bots, first_signup_at, first_signup_day, first_payment_at, first_touch,
           first_touch_at, first_touch_seq
    FROM joined LEFT JOIN touch USING (new_id) ORDER BY new_id
    ON CONFLICT (person_id) DO UPDATE SET
        {ONE_OF_TWO},
        first_payment_at = least(known.first_payment_at, excluded.first_payment_at),
        {_TOUCH}
"""

_HISTOGRAM = """
    INSERT INTO last_active_days AS total (project_id, day, persons, persons_with_bots)
    SELECT $1, day, $3::integer * sum(persons), $3 * sum(with_bots) FROM (
        SELECT last_active_day AS day, 1 AS persons, 0 AS with_bots FROM persons WHERE person_id = ANY ($2::uuid[])
        UNION ALL
        SELECT last_active_day_with_bots, 0, 1 FROM persons WHERE person_id = ANY ($2::uuid[])
    ) AS counted WHERE day IS NOT NULL GROUP BY day ORDER BY day
    ON CONFLICT (project_id, day) DO UPDATE SET
        persons = total.persons + excluded.persons,
        persons_with_bots = total.persons_with_bots + excluded.persons_with_bots
"""

_TAKE_SESSIONS = f"""
    WITH {_MOVES}, gone AS (
        DELETE FROM sessions USING moves WHERE person_id = old_id AND project_id = $1
        RETURNING new_id, device, started_at, ended_at, events, page_views, is_bot
    )
    INSERT INTO moved_sessions SELECT * FROM gone
"""

_OF_MOVED = "SELECT person_id, device, started_at, ended_at, events, page_views, is_bot FROM moved_sessions"


async def make_moving_table(connection: asyncpg.Connection) -> None:
    """Make the temporary table that sessions move through, once per connection."""
    await connection.execute(_TABLE)


async def move_persons(
    connection: asyncpg.Connection, project: Project, change: Regrouping, upto: int, now: datetime
) -> None:
    """Add the rollups of persons who have become somebody else to theirs, in the caller's transaction.

    `upto` is the last sequence number that is counted.
    """
    moves = change.moves
    await mark_customers(connection, project, change.joining, now, MERGE_OF_CUSTOMERS)
    pairs = project.id, list(moves), list(moves.values())
    everybody = list({*moves, *moves.values()})
    await connection.execute(_MARK, *pairs, now, MERGE, project.zone.key)
    await connection.execute(_MOVE_DAYS, *pairs)
    await connection.execute(_MOVE_FIRSTS, *pairs)
    properties = await joined_properties(connection, project, moves, upto)
    await count_last_active(connection, project, everybody, -1)
    await connection.execute(_MOVE_PERSONS, *pairs)
    await count_last_active(connection, project, everybody, 1)
    await write_properties(connection, properties)
    taken = await connection.execute(_TAKE_SESSIONS, *pairs)
    if not taken.endswith(" 0"):
        await roll_up_sessions(connection, project, upto, now, pieces=_OF_MOVED, cause=MERGE)
        await connection.execute("DELETE FROM moved_sessions")


async def count_last_active(
    connection: asyncpg.Connection, project: Project, persons: Collection[UUID], sign: int
) -> None:
    """Put persons into the histogram of last active days (1), or take them out (-1)."""
    await connection.execute(_HISTOGRAM, project.id, list(persons), sign)


async def mark_customers(
    connection: asyncpg.Connection, project: Project, sent_ids: Collection[UUID], now: datetime, cause: str
) -> None:
    """Mark where the subscriptions of some persons, as they were sent, begin: whose they are has changed."""
    await connection.execute(_MARK_CUSTOMERS, project.id, project.zone.key, list(sent_ids), now, cause)
