"""Cohorts that a project keeps: by behaviour, or as lists of persons.

A list holds persons as they were named; who they are today follows from merges, when it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.cohorts import Behaviour, parse_behaviour
from analytics_api.errors import Conflict, NotFound, Unprocessable
from analytics_api.store.statements import fetch

MOST_COHORTS = 500
_COLUMNS = "id, name, description, behaviour::text, created_at, updated_at"


@dataclass(frozen=True, slots=True)
class Cohort:
    """A cohort as it is kept."""

    id: int
    name: str
    description: str
    behaviour: Behaviour | None
    """None: a list of persons."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be kept."""

    name: str
    description: str
    behaviour: Behaviour | None


async def cohorts(connection: AsyncConnection, project_id: int) -> list[Cohort]:
    """All cohorts of a project, by name."""
    rows = await fetch(
        connection,
        f"SELECT {_COLUMNS} FROM cohorts WHERE project_id = :project ORDER BY name",
        {"project": project_id},
    )
    return [_cohort(row) for row in rows]


async def find_cohort(connection: AsyncConnection, project_id: int, cohort_id: int) -> Cohort:
    """One of them. Raises NotFound."""
    rows = await fetch(
        connection,
        f"SELECT {_COLUMNS} FROM cohorts WHERE project_id = :project AND id = :id",
        {"project": project_id, "id": cohort_id},
    )
    if not rows:
        raise NotFound(f"There is no cohort {cohort_id} in this project; GET /cohorts lists them.")
    return _cohort(rows[0])


async def add_cohort(
    connection: AsyncConnection, project_id: int, draft: Draft, persons: Sequence[UUID], now: datetime
) -> Cohort:
    """Keep a new one. Raises Conflict when the name is taken, Unprocessable when there are too many."""
    if len(await cohorts(connection, project_id)) >= MOST_COHORTS:
        raise Unprocessable(f"There are {MOST_COHORTS} cohorts already: remove one first.")
    parameters = {"project": project_id, "now": now, **_written(draft)}
    sql = f"""
        INSERT INTO cohorts (project_id, name, description, behaviour, created_at, updated_at)
        VALUES (:project, :name, :description, CAST(:behaviour AS jsonb), :now, :now) RETURNING {_COLUMNS}
    """
    made = _cohort(await _change(connection, draft.name, sql, parameters))
    await add_members(connection, project_id, made.id, persons)
    return made


async def replace_cohort(
    connection: AsyncConnection, project_id: int, cohort_id: int, draft: Draft, now: datetime
) -> Cohort:
    """Another name or behaviour; a list stays one, with its persons. Raises NotFound, Conflict or Unprocessable."""
    held = await find_cohort(connection, project_id, cohort_id)
    if (held.behaviour is None) != (draft.behaviour is None):
        raise Unprocessable(
            "A list of persons cannot become a cohort by behaviour, or the other way: add another one."
        )
    parameters = {"project": project_id, "id": cohort_id, "now": now, **_written(draft)}
    sql = f"""
        UPDATE cohorts SET name = :name, description = :description, behaviour = CAST(:behaviour AS jsonb), updated_at = :now
        WHERE project_id = :project AND id = :id RETURNING {_COLUMNS}
    """
    return _cohort(await _change(connection, draft.name, sql, parameters))


async def remove_cohort(connection: AsyncConnection, project_id: int, cohort_id: int) -> None:
    """Forget one. Raises NotFound."""
    await find_cohort(connection, project_id, cohort_id)
    for table, column in (("cohort_members", "cohort_id"), ("cohorts", "id")):
        await connection.execute(
            text(f"DELETE FROM {table} WHERE project_id = :project AND {column} = :id"),
            {"project": project_id, "id": cohort_id},
        )


async def add_members(
    connection: AsyncConnection, project_id: int, cohort_id: int, persons: Sequence[UUID]
) -> None:
    """Put persons on a list; those on it stay."""
    await connection.execute(
        text(
            """
            INSERT INTO cohort_members (person_id, cohort_id, project_id)
            SELECT person_id, :id, :project FROM unnest(CAST(:persons AS uuid[])) AS given (person_id) ORDER BY 1
            ON CONFLICT (person_id, cohort_id) DO NOTHING
            """
        ),
        {"project": project_id, "id": cohort_id, "persons": list(set(persons))},
    )


async def remove_members(
    connection: AsyncConnection, project_id: int, cohort_id: int, persons: Sequence[UUID]
) -> None:
    """Take persons off a list, under whichever id they were put on it."""
    await connection.execute(
        text(
            """
            DELETE FROM cohort_members c USING (
                SELECT c.person_id FROM cohort_members c LEFT JOIN person_merges m ON m.person_id = c.person_id
                WHERE c.cohort_id = :id AND c.project_id = :project AND coalesce(m.canonical_id, c.person_id) IN (
                    SELECT coalesce(m.canonical_id, given.person_id)
                    FROM unnest(CAST(:persons AS uuid[])) AS given (person_id)
                    LEFT JOIN person_merges m ON m.person_id = given.person_id)
            ) AS gone
            WHERE c.person_id = gone.person_id AND c.cohort_id = :id AND c.project_id = :project
            """
        ),
        {"project": project_id, "id": cohort_id, "persons": list(persons)},
    )


def _written(draft: Draft) -> dict[str, Any]:
    behaviour = None if draft.behaviour is None else json.dumps(draft.behaviour.as_json())
    return {"name": draft.name, "description": draft.description, "behaviour": behaviour}


async def _change(connection: AsyncConnection, name: str, sql: str, parameters: dict[str, Any]) -> Any:
    try:
        [row] = await fetch(connection, sql, parameters)
    except IntegrityError:
        raise Conflict(f"There is a cohort {name!r} already: use another name.") from None
    return row


def _cohort(row: Any) -> Cohort:
    behaviour = None if row.behaviour is None else parse_behaviour(json.loads(row.behaviour))
    return Cohort(row.id, row.name, row.description, behaviour, row.created_at, row.updated_at)
