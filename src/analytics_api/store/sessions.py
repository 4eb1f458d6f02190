"""The rollup of sessions: replaced, not added to, from the pause before new events to the pause after them.

Most new events prolong a session or fall into one; then its row is enough to know the new one, and one statement does all.
Only where activity goes on for 24 hours without a pause are the single events read again (long_sessions.py).
"""

from __future__ import annotations

from datetime import datetime

import asyncpg

from analytics_api.domain.event import EventType
from analytics_api.domain.project import Project
from analytics_api.domain.sessions import LONGEST, PAUSE
from analytics_api.store.long_sessions import cut_sessions

OF_CHUNK = f"""
    SELECT person_id, coalesce(anonymous_id, '') AS device, occurred_at AS started_at, occurred_at AS ended_at,
           1 AS events, (event_type = '{EventType.PAGE_VIEW.value}')::int AS page_views, is_bot
    FROM chunk WHERE has_person AND active
"""
"""Each event of the chunk as the shortest session."""

_ROLL_UP = """
    WITH new AS MATERIALIZED ({pieces}), reach AS (
        SELECT person_id, device, min(started_at) - $3::interval AS lower, max(ended_at) + $3::interval AS upper
        FROM new GROUP BY person_id, device
    ), old AS MATERIALIZED (
        SELECT s.* FROM reach JOIN sessions s USING (person_id, device)
        WHERE s.ended_at > reach.lower AND s.started_at < reach.upper
          -- Says nothing new, and lets the index begin where it matters.
          AND s.started_at > reach.lower - $4::interval
    ), piece AS (
        SELECT person_id, device, started_at, ended_at, events, page_views, is_bot, true AS is_new FROM new
        UNION ALL
        SELECT person_id, device, started_at, ended_at, events, page_views, is_bot, false FROM old
    ), spaced AS (
        SELECT piece.*, started_at - max(ended_at) OVER (
            PARTITION BY person_id, device ORDER BY started_at, ended_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) >= $3::interval AS after_pause
        FROM piece
    ), numbered AS MATERIALIZED (
        SELECT spaced.*, count(*) FILTER (WHERE after_pause) OVER (
            PARTITION BY person_id, device ORDER BY started_at, ended_at ROWS UNBOUNDED PRECEDING
        ) AS island
        FROM spaced
    ), island AS MATERIALIZED (
        SELECT person_id, device, island, min(started_at) AS started_at, max(ended_at) AS ended_at,
               sum(events) AS events, sum(page_views) AS page_views, bool_and(is_bot) AS is_bot
        FROM numbered GROUP BY person_id, device, island HAVING bool_or(is_new)
    ), long AS MATERIALIZED (
        SELECT DISTINCT person_id, device FROM island WHERE ended_at - started_at >= $4::interval
    ), made AS MATERIALIZED (
        SELECT island.*, (started_at AT TIME ZONE $5)::date AS day FROM island
        WHERE NOT EXISTS (SELECT 1 FROM long WHERE long.person_id = island.person_id AND long.device = island.device)
    ), replaced AS MATERIALIZED (
        SELECT person_id, device, numbered.started_at, made.started_at AS now_started_at
        FROM numbered JOIN made USING (person_id, device, island) WHERE NOT is_new
    ), gone AS (
        DELETE FROM sessions USING replaced r
        WHERE sessions.person_id = r.person_id AND sessions.device = r.device
          AND sessions.started_at = r.started_at AND r.started_at <> r.now_started_at
    ), written AS (
        INSERT INTO sessions AS known
            (project_id, person_id, device, started_at, ended_at, day, is_bot, events, page_views)
        SELECT $1, person_id, device, started_at, ended_at, day, is_bot, events, page_views FROM made
        ORDER BY person_id, device, started_at
        ON CONFLICT (person_id, device, started_at) DO UPDATE SET
            ended_at = excluded.ended_at, is_bot = excluded.is_bot, events = excluded.events,
            page_views = excluded.page_views
    ), marked AS (
        -- Closed days whose sessions have moved, beside those on which the events themselves lie.
        INSERT INTO dirty_days (project_id, day, cause, events, marked_at)
        SELECT $1, day, $2, 0, $6
        FROM (SELECT day FROM made UNION SELECT (started_at AT TIME ZONE $5)::date FROM replaced) AS moved
        JOIN project_days closed USING (day) WHERE closed.project_id = $1 ORDER BY day
        ON CONFLICT (project_id, day, cause) DO NOTHING
    )
    SELECT person_id, device FROM long
"""


async def roll_up_sessions(
    connection: asyncpg.Connection,
    project: Project,
    upto: int,
    now: datetime,
    *,
    pieces: str = OF_CHUNK,
    cause: str = "late_events",
) -> None:
    """Put pieces of sessions in and make the sessions around them anew, in the caller's transaction.

    `upto` is the last sequence number that counts; `cause` is noted with closed days whose sessions change.
    """
    long = await connection.fetch(
        _ROLL_UP.format(pieces=pieces), project.id, cause, PAUSE, LONGEST, project.zone.key, now
    )
    if long:
        keys = [(row["person_id"], row["device"]) for row in long]
        await cut_sessions(connection, project, keys, pieces, upto, now, cause)
