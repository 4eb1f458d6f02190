"""What persons consented to, as it changed: kept as proof, and gone with the person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg


class Statement(NamedTuple):
    """What was said of a person's consent at a time. `consent` is JSON text with sorted keys."""

    person_id: UUID
    changed_at: datetime
    project_id: int
    consent: str
    source: str
    """`event`, or the caller who stated it."""
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ConsentChange:
    """A row of the proof."""

    changed_at: datetime
    consent: Any
    source: str
    received_at: datetime
    person_id: UUID


async def keep_consent(connection: asyncpg.Connection, statements: Sequence[Statement]) -> None:
    """Keep those that say something else than what was said before, in one statement. Repetitions change nothing."""
    await connection.execute(
        """
        INSERT INTO consent_changes AS held (person_id, changed_at, project_id, consent, source, received_at)
        SELECT DISTINCT ON (person_id, changed_at) sent.*
        FROM unnest($1::uuid[], $2::timestamptz[], $3::int[], $4::jsonb[], $5::text[], $6::timestamptz[])
            AS sent (person_id, changed_at, project_id, consent, source, received_at)
        WHERE sent.consent IS DISTINCT FROM (
            SELECT consent FROM consent_changes c
            WHERE c.person_id = sent.person_id AND c.changed_at <= sent.changed_at
            ORDER BY c.changed_at DESC LIMIT 1)
          AND NOT EXISTS (SELECT FROM suppressed_persons s WHERE s.person_id = sent.person_id)
        ORDER BY person_id, changed_at
        ON CONFLICT (person_id, changed_at) DO NOTHING
        """,
        *zip(*statements, strict=True),
    )


async def consent_of(
    connection: asyncpg.Connection,
    project_id: int,
    persons: Sequence[UUID],
    limit: int,
    behind: tuple[datetime, UUID] | None = None,
) -> list[ConsentChange]:
    """What was said of persons, the newest first; behind a change's time and person."""
    rows = await connection.fetch(
        """
        SELECT changed_at, consent::text, source, received_at, person_id FROM consent_changes
        WHERE project_id = $1 AND person_id = ANY ($2::uuid[])
          AND ($4::timestamptz IS NULL OR changed_at < $4 OR (changed_at = $4 AND person_id > $5))
        ORDER BY changed_at DESC, person_id LIMIT $3
        """,
        project_id,
        list(persons),
        limit,
        *(behind or (None, None)),
    )
    return [ConsentChange(**{**row, "consent": json.loads(row["consent"])}) for row in rows]
