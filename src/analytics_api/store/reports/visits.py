"""Visits in a window: people new and returning, sessions, pages with the time spent on them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.domain.sessions import PAUSE
from analytics_api.store.chunk_table import active
from analytics_api.store.filter_sql import Binds
from analytics_api.store.reports.window import COUNTED, Window, inactive
from analytics_api.store.statements import fetch

_ACTIVE = active("CAST(:inactive AS text[])")


@dataclass(frozen=True, slots=True)
class People:
    """Distinct persons with an active event in the window. `new`: of these, first seen in it."""

    active: int
    new: int


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions that began in the window and what they add up to, in seconds."""

    sessions: int
    seconds: Decimal
    single_page: int


@dataclass(frozen=True, slots=True)
class Page:
    """Views of one path. `seconds` is the sum over the `timed` views whose end is known."""

    path: str | None
    views: int
    visitors: int
    entries: int
    exits: int
    seconds: Decimal
    timed: int


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages with the most views, and what all pages add up to."""

    pages: list[Page]
    all: int
    seconds: Decimal
    timed: int


async def people(connection: AsyncConnection, window: Window) -> People:
    """From rollups for whole days, from the log for the last hours and with filters."""
    if not window.rolling and not window.filters.parts:
        active = "active_with_bots" if window.include_bots else "active"
        first = "first_day_with_bots" if window.include_bots else "first_day"
        sql = f"""
            SELECT count(*) AS active, count(*) FILTER (WHERE p.{first} >= :first) AS new
            FROM (SELECT DISTINCT person_id FROM person_days
                  WHERE project_id = :project AND day >= :first AND day <= :last AND {active}) AS seen
            JOIN persons p USING (person_id)
        """
        [row] = await fetch(connection, sql, window.by_days())
        return People(row.active, row.new)
    first = "first_at_with_bots" if window.include_bots else "first_at"
    binds = Binds()
    sql = f"""
        SELECT count(*) AS active, count(*) FILTER (WHERE NOT EXISTS (
            SELECT 1 FROM person_firsts f WHERE f.person_id = seen.person_id AND f.project_id = :project AND f.{first} < :begins)) AS new
        FROM (SELECT DISTINCT coalesce(m.canonical_id, e.person_id) AS person_id
              FROM {window.events} WHERE {window.chosen(binds)} AND e.has_person AND {_ACTIVE}) AS seen
    """
    [row] = await fetch(connection, sql, window.parameters(inactive=inactive(), **binds.parameters))
    return People(row.active, row.new)


async def came_back(connection: AsyncConnection, window: Window) -> int:
    """Persons active in the window who were here on an earlier local day, too, be it in the window or before. Without filters."""
    bots = "_with_bots" if window.include_bots else ""
    if window.rolling:
        days = f"""
            SELECT DISTINCT coalesce(m.canonical_id, e.person_id) AS person_id, (e.occurred_at AT TIME ZONE :zone)::date AS day
            FROM {window.events} WHERE {COUNTED} AND e.has_person AND {_ACTIVE}
        """
    else:
        days = f"""
            SELECT person_id, day FROM person_days
            WHERE project_id = :project AND day >= :first AND day <= :last AND active{bots}
        """
    sql = f"""
        SELECT count(*) AS persons
        FROM (SELECT person_id, max(day) AS last_day FROM ({days}) AS days GROUP BY person_id) AS seen
        JOIN persons p USING (person_id) WHERE p.first_day{bots} < seen.last_day
    """
    more = {"zone": window.project.zone.key, "inactive": inactive()} if window.rolling else {}
    asked = window.parameters(**more) if window.rolling else window.by_days()
    [row] = await fetch(connection, sql, asked)
    return int(row.persons)


async def sessions(connection: AsyncConnection, window: Window) -> Sessions:
    """Sessions by their start."""
    binds = Binds()
    sql = f"""
        SELECT count(*) AS sessions, coalesce(sum(extract(epoch FROM ended_at - started_at)), 0) AS seconds,
               count(*) FILTER (WHERE page_views = 1 AND events = 1) AS single_page
        FROM sessions s
        WHERE project_id = :project AND day >= :first AND day <= :last
          AND started_at >= :begins AND started_at < :ends AND (:bots OR NOT is_bot) {window.of_sessions("s", binds)}
    """
    more = {"first": window.first, "last": window.last, **binds.parameters}
    [row] = await fetch(connection, sql, window.parameters(**more))
    return Sessions(row.sessions, row.seconds, row.single_page)


async def pages(connection: AsyncConnection, window: Window, limit: int) -> Pages:
    """Paths by views. The time on a page ends with the next view of the same person and device within 30 minutes.

    Without one it is not known, and the view is an exit; a view without one before it is an entry.
    """
    binds = Binds()
    sql = f"""
        WITH views AS (
            SELECT coalesce(e.event_data #>> '{{path}}', e.context #>> '{{page,path}}') AS path, e.has_person,
                   CASE WHEN e.has_person THEN coalesce(m.canonical_id, e.person_id) END AS person,
                   coalesce(e.anonymous_id, '') AS device, e.occurred_at, e.seq
            FROM {window.events} WHERE {window.chosen(binds)} AND e.event_type = :page_view
        ), spaced AS (
            SELECT path, person, lead(occurred_at) OVER visit - occurred_at AS until_next,
                   occurred_at - lag(occurred_at) OVER visit AS since_last
            FROM views
            WINDOW visit AS (PARTITION BY coalesce(CAST(person AS text), CAST(seq AS text)), device
                             ORDER BY occurred_at, seq)
        ), counted AS (
            SELECT path, count(*) AS views, count(DISTINCT person) AS visitors,
                   count(*) FILTER (WHERE since_last IS NULL OR since_last >= :pause) AS entries,
                   count(*) FILTER (WHERE until_next IS NULL OR until_next >= :pause) AS exits,
                   coalesce(sum(extract(epoch FROM until_next)) FILTER (WHERE until_next < :pause), 0) AS seconds,
                   count(*) FILTER (WHERE until_next < :pause) AS timed
            FROM spaced GROUP BY path
        )
        SELECT *, count(*) OVER () AS pages, sum(seconds) OVER () AS all_seconds, sum(timed) OVER () AS all_timed
        FROM counted ORDER BY views DESC, path COLLATE "C" LIMIT :limit
    """
    more = {"page_view": EventType.PAGE_VIEW.value, "pause": PAUSE, "limit": limit, **binds.parameters}
    found = await fetch(connection, sql, window.parameters(**more))
    if not found:
        return Pages([], 0, Decimal(0), 0)
    made = [
        Page(row.path, row.views, row.visitors, row.entries, row.exits, row.seconds, row.timed)
        for row in found
    ]
    return Pages(made, found[0].pages, found[0].all_seconds, int(found[0].all_timed))


async def active_by_minute(connection: AsyncConnection, window: Window) -> list[Any]:
    """(minute, events, persons) of active events, for each minute of the window that has any."""
    sql = f"""
        SELECT date_trunc('minute', e.occurred_at) AS minute, count(*) AS events,
               count(DISTINCT coalesce(m.canonical_id, e.person_id)) FILTER (WHERE e.has_person) AS persons
        FROM events e LEFT JOIN person_merges m ON m.person_id = e.person_id
        WHERE {COUNTED} AND {_ACTIVE} GROUP BY 1 ORDER BY 1
    """
    return await fetch(connection, sql, window.parameters(inactive=inactive()))
