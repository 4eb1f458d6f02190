"""What providers' answers came to, in records by the hour of the answer: the other side of what is held as delivered.

A record is one payload: an event with user properties makes two at some providers. By construction
acknowledged = records + repeated + dead + unknown - duplicates - uncounted, for every destination and hour.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime

import asyncpg

from analytics_api.store.deliveries import Answers
from analytics_api.store.delivery_window import WITHIN, Window, hour_of
from analytics_api.store.replays import MARK, split_key

_COLUMNS = tuple(each.name for each in fields(Answers))


async def add_answers(
    connection: asyncpg.Connection, project_id: int, destination: str, answers: Answers, now: datetime
) -> None:
    """Add to the counts of the hour of `now`, in the caller's transaction."""
    await connection.execute(
        f"""
        INSERT INTO delivery_answers AS held (project_id, destination, hour, {", ".join(_COLUMNS)})
        VALUES ($1, $2, $3, {", ".join(f"${place}" for place in range(4, 4 + len(_COLUMNS)))})
        ON CONFLICT (project_id, destination, hour)
        DO UPDATE SET {", ".join(f"{name} = held.{name} + excluded.{name}" for name in _COLUMNS)}
        """,
        project_id,
        destination,
        hour_of(now),
        *asdict(answers).values(),
    )


Cell = tuple[str, int | None, datetime | None]
"""Destination, replay (None: the live events), and the beginning of the hour or day of the answer (None: of all time)."""


async def stored_answers(
    connection: asyncpg.Connection, project_id: int, destination: str | None, window: Window
) -> dict[Cell, Answers]:
    """What was answered; a destination's replays are apart from its live events."""
    rows = await connection.fetch(
        f"""
        SELECT destination, {window.start("hour")} AS start, {", ".join(f"sum({name})::bigint" for name in _COLUMNS)}
        FROM delivery_answers
        WHERE {WITHIN.format("hour")} AND project_id = $3
          AND ($4::text IS NULL OR split_part(destination, '{MARK}', 1) = $4)
        GROUP BY 1, 2
        """,
        window.first,
        window.last,
        project_id,
        destination,
    )
    return {(*split_key(row["destination"]), row["start"]): Answers(*row[2:]) for row in rows}
