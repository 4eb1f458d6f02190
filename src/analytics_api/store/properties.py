"""User properties: the operations of the chunk's events, applied to their persons in the order of the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import orjson

from analytics_api.domain.properties import apply_operations

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


async def roll_up_properties(connection: asyncpg.Connection) -> None:
    """Apply the operations on user properties in the order of the log."""
    rows = await connection.fetch(
        """
        SELECT person_id, occurred_at, user_properties FROM chunk WHERE user_properties IS NOT NULL ORDER BY seq
        """
    )
    if not rows:
        return
    people = await _load_properties(connection, sorted({row["person_id"] for row in rows}))
    for row in rows:
        properties, times = people[row["person_id"]]
        at = (row["occurred_at"] - _EPOCH) // _MICROSECOND
        apply_operations(properties, times, orjson.loads(row["user_properties"]), at)
    await connection.execute(
        """
        UPDATE persons SET properties = new.properties, property_times = new.times
        FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[]) AS new (person_id, properties, times)
        WHERE persons.person_id = new.person_id
        """,
        list(people),
        [orjson.dumps(properties).decode() for properties, _ in people.values()],
        [orjson.dumps(times).decode() for _, times in people.values()],
    )


async def _load_properties(
    connection: asyncpg.Connection, person_ids: Sequence[object]
) -> dict[object, tuple[dict[str, object], dict[str, object]]]:
    rows = await connection.fetch(
        "SELECT person_id, properties, property_times FROM persons WHERE person_id = ANY ($1::uuid[])",
        person_ids,
    )
    return {
        row["person_id"]: (orjson.loads(row["properties"]), orjson.loads(row["property_times"]))
        for row in rows
    }
