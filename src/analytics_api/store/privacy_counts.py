"""Counts of what was kept out of the log: never what it was, only by which rule, of which field and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import asyncpg

MOST_SUBJECTS = 500
"""Rows of a project and day. What does not fit is counted under an empty subject."""


class CountKey(NamedTuple):
    """What is counted by. `subject` is the path of a field, or the type of events that were refused."""

    project_id: int
    day: date
    rule: str
    subject: str
    action: str


@dataclass(frozen=True, slots=True)
class PrivacyCount:
    """A row of the list."""

    rule: str
    subject: str
    action: str
    number: int
    last_day: date


async def add_counts(connection: asyncpg.Connection, counts: Mapping[CountKey, int]) -> None:
    """Add counts to those that are stored, in one statement. Any number of processes may do so at once."""
    await connection.execute(
        """
        WITH sent AS (
            SELECT * FROM unnest($1::int[], $2::date[], $3::text[], $4::text[], $5::text[], $6::bigint[])
                AS sent (project_id, day, rule, subject, action, number)
        ), placed AS (
            SELECT project_id, day, rule, action, number,
                CASE WHEN stored.project_id IS NOT NULL OR $7 > (
                    SELECT count(*) FROM privacy_counts c WHERE c.project_id = sent.project_id AND c.day = sent.day)
                THEN sent.subject ELSE '' END AS subject
            FROM sent LEFT JOIN (SELECT project_id, day, rule, subject, action FROM privacy_counts) AS stored
                USING (project_id, day, rule, subject, action)
        )
        INSERT INTO privacy_counts AS stored (project_id, day, rule, subject, action, number)
        SELECT project_id, day, rule, subject, action, sum(number) FROM placed
        GROUP BY project_id, day, rule, subject, action ORDER BY project_id, day, rule, subject, action
        ON CONFLICT (project_id, day, rule, subject, action) DO UPDATE SET number = stored.number + excluded.number
        """,
        *zip(*counts, strict=True),
        list(counts.values()),
        MOST_SUBJECTS,
    )


async def list_counts(
    connection: asyncpg.Connection, project_id: int, first: date, last: date
) -> list[PrivacyCount]:
    """What was kept out on the days from `first` to `last`, the most first."""
    rows = await connection.fetch(
        """
        SELECT rule, subject, action, sum(number)::bigint AS number, max(day) AS last_day FROM privacy_counts
        WHERE project_id = $1 AND day BETWEEN $2 AND $3
        GROUP BY rule, subject, action ORDER BY number DESC, rule, subject, action
        """,
        project_id,
        first,
        last,
    )
    return [PrivacyCount(*row.values()) for row in rows]
