"""Requests of a window that were counted by the minute, and what people did whose requests failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import EventType
from analytics_api.store.reports.table import By
from analytics_api.store.reports.window import COUNTED, Window
from analytics_api.store.statements import fetch

ROUTE = By(sql="nullif(concat_ws(' ', e.event_data ->> 'method', e.event_data ->> 'route'), '')")
"""Method and template, as in GET /users/{id}."""
ROUTE_AND_STATUS = By(
    sql="""CASE WHEN e.event_data ->> 'status' ~ '^[1-5][0-9]{2}$' THEN
        concat_ws(' ', e.event_data ->> 'status', e.event_data ->> 'method', e.event_data ->> 'route') END""",
    known=True,
)
_STATUS = "CASE WHEN e.event_data ->> 'status' ~ '^[1-5][0-9]{2}$' THEN CAST(e.event_data ->> 'status' AS integer) END"
_REQUESTS = f"{COUNTED} AND e.event_type = '{EventType.API_REQUEST.value}'"


@dataclass(frozen=True, slots=True)
class Uptime:
    """Minutes with requests, and those of them in which not every request failed (5xx)."""

    minutes: int
    up: int


async def counted_requests(connection: AsyncConnection, window: Window) -> list[Any]:
    """Requests that are counted instead of stored, by method, route, status and caller; most first. Times in seconds."""
    sql = """
        SELECT method, route, status, caller, sum(requests) AS requests, sum(seconds) AS seconds,
               max(slowest) AS slowest
        FROM request_minutes WHERE project_id = :project AND minute >= :begins AND minute < :ends
        GROUP BY method, route, status, caller ORDER BY 5 DESC, 1, 2, 3, 4
    """
    return await fetch(connection, sql, window.parameters())


async def uptime(connection: AsyncConnection, window: Window) -> Uptime:
    """By the minute, over requests of both kinds."""
    sql = f"""
        WITH minutes AS (
            SELECT date_trunc('minute', e.occurred_at) AS minute, {_STATUS} < 500 AS answered
            FROM events e WHERE {_REQUESTS}
            UNION ALL
            SELECT minute, status < 500 FROM request_minutes
            WHERE project_id = :project AND minute >= :begins AND minute < :ends
        ), seen AS (SELECT minute, bool_or(answered) AS up FROM minutes GROUP BY minute)
        SELECT count(*) AS minutes, count(*) FILTER (WHERE up) AS up FROM seen
    """
    [row] = await fetch(connection, sql, window.parameters())
    return Uptime(row.minutes, row.up)


async def done_by_affected(connection: AsyncConnection, window: Window, limit: int) -> list[Any]:
    """(event_type, events, users) of product events in the window, of persons of whose requests one failed in it.

    Every row has their number as `affected`; when they did nothing else there is one row without an event type.
    """
    sql = f"""
        WITH affected AS MATERIALIZED (
            SELECT DISTINCT coalesce(m.canonical_id, e.person_id) AS person
            FROM events e LEFT JOIN person_merges m ON m.person_id = e.person_id
            WHERE {_REQUESTS} AND e.has_person AND {_STATUS} >= 500
        ), done AS (
            SELECT e.event_type, a.person
            FROM events e LEFT JOIN person_merges m ON m.person_id = e.person_id
            JOIN affected a ON a.person = coalesce(m.canonical_id, e.person_id)
            WHERE {COUNTED} AND e.has_person AND e.event_type <> '{EventType.API_REQUEST.value}'
        ), types AS (
            SELECT event_type, count(*) AS events, count(DISTINCT person) AS users FROM done GROUP BY event_type
        )
        SELECT event_type, events, users, everybody.affected
        FROM (SELECT count(*) AS affected FROM affected) AS everybody LEFT JOIN types ON true
        ORDER BY events DESC NULLS LAST, event_type COLLATE "C" LIMIT :limit
    """
    return await fetch(connection, sql, window.parameters(limit=limit))
