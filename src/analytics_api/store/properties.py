"""User properties: the operations of the chunk's events, applied to their persons in the order of the log."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import orjson

from analytics_api.domain.project import Project
from analytics_api.domain.properties import State, apply_operations, completed, fit_together, newest_of
from analytics_api.store.chunk_table import COUNTED, any_sealed
from analytics_api.store.identity import sent_ids

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

People = dict[UUID, State]
"""Properties and their times by person."""


async def roll_up_properties(connection: asyncpg.Connection) -> None:
    """Apply the operations on user properties in the order of the log."""
    rows = await connection.fetch(
        """
        SELECT person_id, occurred_at, user_properties FROM chunk WHERE user_properties IS NOT NULL ORDER BY seq
        """
    )
    if not rows:
        return
    people = await load_properties(connection, sorted({row["person_id"] for row in rows}))
    for row in rows:
        _apply(people[row["person_id"]], row)
    await write_properties(connection, people)


async def joined_properties(
    connection: asyncpg.Connection, project: Project, moves: Mapping[UUID, UUID], upto: int
) -> People:
    """The properties that persons (values of `moves`) have once others (keys) have become them.

    Different properties are put together; where two persons have the same one, all that was said is applied again in
    the order of the log, up to the sequence number `upto`. Persons who gain nothing are left out.
    """
    states = await load_properties(connection, list({*moves, *moves.values()}))
    joined: People = {}
    clashing: set[UUID] = set()
    for old, new in moves.items():
        properties, times = states.get(old, ({}, {}))
        if not times and not properties:
            continue
        mine = joined.setdefault(new, states.get(new, ({}, {})))
        known = mine[0].keys() | mine[1].keys()
        if known & (properties.keys() | times.keys()) or not fit_together(mine, (properties, times)):
            clashing.add(new)
        joined[new] = newest_of(mine, (properties, times))
    if clashing:
        joined |= await _replayed(connection, project, clashing, upto, joined)
    return joined


async def _replayed(
    connection: asyncpg.Connection, project: Project, persons: Collection[UUID], upto: int, known: People
) -> People:
    """What all events of some persons say, in the order of the log; of events that retention has removed, what is known."""
    members = await sent_ids(connection, persons)
    rows = await connection.fetch(
        f"""
        SELECT person_id, occurred_at, user_properties FROM events
        WHERE project_id = $1 AND person_id = ANY ($3) AND user_properties IS NOT NULL AND {COUNTED.format(upto="$4")}
        ORDER BY seq
        """,
        project.id,
        project.zone.key,
        list(members),
        upto,
    )
    people: People = {person: ({}, {}) for person in persons}
    for row in rows:
        _apply(people[members[row["person_id"]]], row)
    if not await any_sealed(connection, project):
        return people
    return {person: completed(state, known[person]) for person, state in people.items()}


def _apply(state: State, row: asyncpg.Record) -> None:
    at = (row["occurred_at"] - _EPOCH) // _MICROSECOND
    apply_operations(*state, orjson.loads(row["user_properties"]), at)


async def write_properties(connection: asyncpg.Connection, people: People) -> None:
    """Replace the properties of persons."""
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


async def load_properties(connection: asyncpg.Connection, persons: Sequence[UUID]) -> People:
    """The properties of persons and the times that go with them."""
    rows = await connection.fetch(
        "SELECT person_id, properties, property_times FROM persons WHERE person_id = ANY ($1::uuid[])",
        persons,
    )
    return {
        row["person_id"]: (orjson.loads(row["properties"]), orjson.loads(row["property_times"]))
        for row in rows
    }
