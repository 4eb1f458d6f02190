"""Single persons: who an id means, and what is known of some of them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.identity import person_of
from analytics_api.domain.project import Project
from analytics_api.store.filter_sql import Binds
from analytics_api.store.reports.window import Window
from analytics_api.store.statements import fetch


async def find_person(connection: AsyncConnection, project: Project, given: str) -> UUID | None:
    """The person that a user id, an anonymous id or a person's own id means, in this order; by all merges."""
    nobody = UUID(int=0)
    wanted = [
        person_of(project.namespace, given, None, nobody)[0],
        person_of(project.namespace, None, given, nobody)[0],
    ]
    with contextlib.suppress(ValueError):
        wanted.append(UUID(given))
    sql = """
        SELECT p.person_id FROM unnest(CAST(:wanted AS uuid[])) WITH ORDINALITY AS w (id, place)
        LEFT JOIN person_merges m ON m.person_id = w.id
        JOIN persons p ON p.person_id = coalesce(m.canonical_id, w.id)
        WHERE p.project_id = :project ORDER BY place LIMIT 1
    """
    found = await fetch(connection, sql, {"wanted": wanted, "project": project.id})
    return found[0].person_id if found else None


async def ids_of(connection: AsyncConnection, person: UUID) -> list[UUID]:
    """The ids that events of a person carry."""
    sql = "SELECT person_id FROM person_merges WHERE canonical_id = :person"
    return [person, *(row.person_id for row in await fetch(connection, sql, {"person": person}))]


async def profiles(connection: AsyncConnection, window: Window, persons: Sequence[UUID]) -> dict[UUID, Any]:
    """What is known of persons, with their sessions in the window."""
    binds = Binds()
    sql = f"""
        SELECT p.person_id, p.user_id, p.anonymous_id, p.first_seen_at, p.last_seen_at, p.first_touch, p.properties,
               s.sessions, s.seconds
        FROM persons p CROSS JOIN LATERAL (
            SELECT count(*) AS sessions, coalesce(sum(extract(epoch FROM ended_at - started_at)), 0) AS seconds
            FROM sessions s
            WHERE s.person_id = p.person_id AND s.started_at >= :begins AND s.started_at < :ends
              AND (:bots OR NOT s.is_bot) {window.of_sessions("s", binds)}
        ) s
        WHERE p.project_id = :project AND p.person_id = ANY (CAST(:persons AS uuid[]))
    """
    rows = await fetch(connection, sql, window.parameters(persons=list(persons), **binds.parameters))
    return {row.person_id: row for row in rows}


async def sessions_of(connection: AsyncConnection, window: Window, person: UUID, limit: int) -> list[Any]:
    """The person's sessions that began in the window, newest first."""
    binds = Binds()
    sql = f"""
        SELECT started_at, ended_at, events, page_views FROM sessions s
        WHERE person_id = :person AND project_id = :project AND started_at >= :begins AND started_at < :ends
          AND (:bots OR NOT is_bot) {window.of_sessions("s", binds)}
        ORDER BY started_at DESC LIMIT :limit
    """
    return await fetch(connection, sql, window.parameters(person=person, limit=limit, **binds.parameters))
