"""What one person did, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.identity import person_of
from analytics_api.domain.project import Project
from analytics_api.store.statements import fetch

_COLUMNS = (
    "event_id, event_type, occurred_at, received_at, seq, user_id, anonymous_id, session_id, event_data, context, revenue, "
    "currency, is_bot"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which event a page begins."""

    occurred_at: datetime
    seq: int


async def find_person(connection: AsyncConnection, project: Project, text: str) -> Any:
    """The canonical person with this id, or else with this user id or anonymous id; None when there is none."""
    candidates = [person_of(project.namespace, text, None, UUID(int=0))[0]]
    candidates.append(person_of(project.namespace, None, text, UUID(int=0))[0])
    with suppress(ValueError):
        candidates.insert(0, UUID(text))
    rows = await fetch(
        connection,
        """
        SELECT p.person_id, p.user_id, p.anonymous_id, p.first_seen_at, p.last_seen_at, p.properties
        FROM unnest(CAST(:candidates AS uuid[])) WITH ORDINALITY AS wanted (person_id, place)
        LEFT JOIN person_merges m ON m.person_id = wanted.person_id
        JOIN persons p ON p.person_id = coalesce(m.canonical_id, wanted.person_id)
        WHERE p.project_id = :project ORDER BY wanted.place LIMIT 1
        """,
        {"candidates": candidates, "project": project.id},
    )
    return rows[0] if rows else None


async def members(connection: AsyncConnection, person: UUID) -> list[UUID]:
    """All persons, as events were sent for them, who are this one."""
    rows = await fetch(
        connection, "SELECT person_id FROM person_merges WHERE canonical_id = :person", {"person": person}
    )
    return [person, *(row.person_id for row in rows)]


async def events_of(
    connection: AsyncConnection,
    project: Project,
    persons: Sequence[UUID],
    event_types: Sequence[str],
    behind: Place | None,
    limit: int,
) -> list[Any]:
    """Their stored events, newest first, counted or not."""
    conditions = ["project_id = :project", "person_id = ANY (CAST(:persons AS uuid[]))"]
    parameters: dict[str, Any] = {"project": project.id, "persons": list(persons), "limit": limit}
    if event_types:
        conditions.append("event_type = ANY (CAST(:types AS text[]))")
        parameters["types"] = list(event_types)
    if behind is not None:
        conditions.append("occurred_at <= :moment AND (occurred_at, seq) < (:moment, :seq)")
        parameters |= {"moment": behind.occurred_at, "seq": behind.seq}
    return await fetch(
        connection,
        f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(conditions)} ORDER BY occurred_at DESC, seq DESC LIMIT :limit",
        parameters,
    )
