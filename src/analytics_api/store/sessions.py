"""The rollup of sessions: replaced, not added to, from the pause before new events to the pause after them.

Most new events prolong a session or fall into one; then its row is enough to know the new one, and one statement does all.
Only where new events of one device lie further apart than a pause are they put in order (`wide`), and only where activity
goes on for 24 hours without a pause are the single events read again (long_sessions.py).
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

_NEAR = """
    s.person_id = {near}.person_id AND s.device = {near}.device
    AND s.ended_at > {near}.started_at - $3::interval AND s.started_at < {near}.ended_at + $3::interval
    -- Says nothing new, and lets the index begin where it matters.
    AND s.started_at > {near}.started_at - $3::interval - $4::interval
"""

_ROLL_UP = f"""
    WITH new AS NOT MATERIALIZED ({{pieces}}), near AS MATERIALIZED (
        SELECT person_id, device, min(started_at) AS started_at, max(ended_at) AS ended_at, sum(events) AS events,
               sum(page_views) AS page_views, bool_and(is_bot) AS is_bot
        FROM new GROUP BY person_id, device
    ), wide AS MATERIALIZED (
        SELECT person_id, device, started_at, ended_at FROM near WHERE ended_at - started_at >= $3::interval
    ), piece AS (
        SELECT new.*, true AS is_new FROM new JOIN wide USING (person_id, device) WHERE EXISTS (SELECT FROM wide)
        UNION ALL
        SELECT s.person_id, s.device, s.started_at, s.ended_at, s.events, s.page_views, s.is_bot, false
        FROM wide CROSS JOIN LATERAL (SELECT * FROM sessions s WHERE {_NEAR.format(near="wide")} OFFSET 0) AS s
    ), spaced AS (
        SELECT piece.*, started_at - max(ended_at) OVER (
            PARTITION BY person_id, device ORDER BY started_at, ended_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) >= $3::interval AS after_pause
        FROM piece
    ), numbered AS (
        SELECT spaced.*, count(*) FILTER (WHERE after_pause) OVER (
            PARTITION BY person_id, device ORDER BY started_at, ended_at ROWS UNBOUNDED PRECEDING
        ) AS island
        FROM spaced
    ), island AS MATERIALIZED (
        -- Nearly all: what is new fits into a pause, so that it and all that it touches are one session.
        SELECT person_id, device, least(near.started_at, old.started_at) AS started_at,
               greatest(near.ended_at, old.ended_at) AS ended_at, near.events + coalesce(old.events, 0) AS events,
               near.page_views + coalesce(old.page_views, 0) AS page_views, near.is_bot AND coalesce(old.is_bot, true) AS is_bot,
               old.sessions, old.started_at AS first_started_at
        FROM near CROSS JOIN LATERAL (
            SELECT min(started_at) AS started_at, max(ended_at) AS ended_at, sum(events) AS events,
                   sum(page_views) AS page_views, bool_and(is_bot) AS is_bot, count(*) AS sessions
            FROM sessions s WHERE {_NEAR.format(near="near")}
        ) AS old
        WHERE near.ended_at - near.started_at < $3::interval
        UNION ALL
        SELECT person_id, device, min(started_at), max(ended_at), sum(events), sum(page_views), bool_and(is_bot),
               count(*) FILTER (WHERE NOT is_new), min(started_at) FILTER (WHERE NOT is_new)
        FROM numbered GROUP BY person_id, device, island HAVING bool_or(is_new)
    ), long AS MATERIALIZED (
        SELECT DISTINCT person_id, device FROM island WHERE ended_at - started_at >= $4::interval
    ), made AS MATERIALIZED (
        SELECT person_id, device, started_at, ended_at, events, page_views, is_bot, sessions, first_started_at,
               (started_at AT TIME ZONE $5)::date AS day
        FROM island
        WHERE NOT EXISTS (SELECT 1 FROM long WHERE long.person_id = island.person_id AND long.device = island.device)
    ), replaced AS MATERIALIZED (
        SELECT made.person_id, made.device, s.started_at FROM made CROSS JOIN LATERAL (
            SELECT started_at FROM sessions s
            WHERE s.person_id = made.person_id AND s.device = made.device
              AND s.started_at > made.started_at AND s.started_at <= made.ended_at OFFSET 0
        ) AS s
        WHERE made.sessions > coalesce((made.first_started_at = made.started_at)::int, 0)
    ), gone AS (
        DELETE FROM sessions s USING replaced r
        WHERE s.person_id = r.person_id AND s.device = r.device AND s.started_at = r.started_at
    ), written AS (
        INSERT INTO sessions (project_id, person_id, device, started_at, ended_at, day, is_bot, events, page_views)
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
