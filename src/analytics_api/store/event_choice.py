"""A choice of a project's events, by time, type, person and property: counted, and read in the order of the log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from analytics_api.domain.event import StoredEvent
from analytics_api.domain.identity import uuid5
from analytics_api.domain.project import Project
from analytics_api.store.log import STORED, Chunk, next_chunk

STRETCH = 100_000
"""Sequence numbers looked through at a time: about 0.1 s when hardly any event is chosen."""
STRETCHES = 10
"""Looked through at most before the caller hears of it, so that its position moves on."""
COUNT_TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True)
class EventChoice:
    """Which events: those that meet every condition that is given."""

    since: datetime | None = None
    until: datetime | None = None
    """Not included."""
    by_arrival: bool = False
    """Whether the times are those of arrival instead of occurrence."""
    event_types: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    anonymous_ids: tuple[str, ...] = ()
    """Events of any of these users or devices."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """What `event_data` must hold."""

    def to_json(self) -> str:
        """As it is stored; conditions that are not given are left out."""
        given = {
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "by_arrival": self.by_arrival,
            "event_types": self.event_types,
            "user_ids": self.user_ids,
            "anonymous_ids": self.anonymous_ids,
            "properties": dict(self.properties),
        }
        return json.dumps({name: value for name, value in given.items() if value})

    @classmethod
    def from_json(cls, text: str) -> EventChoice:
        """The choice that `to_json` wrote."""
        held = json.loads(text)
        for name in ("since", "until"):
            if name in held:
                held[name] = datetime.fromisoformat(held[name])
        for name in ("event_types", "user_ids", "anonymous_ids"):
            held[name] = tuple(held.get(name, ()))
        return cls(**held)

    def may_hold(self, event: StoredEvent) -> bool:
        """Whether an event may be chosen; its properties are not looked at."""
        moment = event.received_at if self.by_arrival else event.occurred_at
        return (
            (self.since is None or moment >= self.since)
            and (self.until is None or moment < self.until)
            and (not self.event_types or event.event_type in self.event_types)
            and (
                not (self.user_ids or self.anonymous_ids)
                or event.user_id in self.user_ids
                or event.anonymous_id in self.anonymous_ids
            )
        )

    def where(self, project: Project, chunk: Chunk, values: list[object]) -> str:
        """An SQL condition for the chosen events of a chunk; its values are put behind `values`."""

        def put(value: object) -> str:
            values.append(value)
            return f"${len(values)}"

        parts = [
            f"project_id = {put(chunk.project_id)}",
            f"seq > {put(chunk.after)}",
            f"seq <= {put(chunk.upto)}",
            f"occurred_at >= {put(chunk.lower)}",
            f"occurred_at < {put(chunk.upper)}",
        ]
        if self.by_arrival and self.since is not None:
            parts.append(f"received_at >= {put(self.since)}")
        if self.by_arrival and self.until is not None:
            parts.append(f"received_at < {put(self.until)}")
        if self.event_types:
            parts.append(f"event_type = ANY ({put(self.event_types)}::text[])")
        people = []
        if self.user_ids:
            persons = [uuid5(project.namespace, "u:" + user_id) for user_id in self.user_ids]
            people.append(f"person_id = ANY ({put(persons)}::uuid[])")
        if self.anonymous_ids:
            people.append(f"anonymous_id = ANY ({put(self.anonymous_ids)}::text[])")
        if people:
            parts.append(f"({' OR '.join(people)})")
        if self.properties:
            parts.append(f"event_data @> {put(json.dumps(dict(self.properties)))}::jsonb")
        return " AND ".join(parts)

    def narrow(self, chunk: Chunk) -> Chunk | None:
        """The part of a chunk within the times of occurrence; None when there is none."""
        if self.by_arrival:
            return chunk
        lower = chunk.lower if self.since is None else max(chunk.lower, self.since)
        upper = chunk.upper if self.until is None else min(chunk.upper, self.until)
        if lower >= upper:
            return None
        return Chunk(chunk.project_id, chunk.after, chunk.upto, lower, upper)


async def read_chosen(
    connection: asyncpg.Connection, project: Project, choice: EventChoice, after: int, upto: int, limit: int
) -> tuple[list[StoredEvent], int]:
    """The next chosen events with numbers in (after, upto], at most `limit`, and the number that nothing is left before.

    May find none and still move on: call it again until `upto` is reached.
    """
    for _ in range(STRETCHES):
        chunk = await next_chunk(connection, project.id, after, upto, STRETCH)
        if chunk is None:
            return [], upto
        narrow = choice.narrow(chunk)
        if narrow is not None:
            events = await _read(connection, project, choice, narrow, limit)
            if len(events) == limit:
                return events, events[-1].seq
            if events:
                return events, chunk.upto
        after = chunk.upto
    return [], after


async def _read(
    connection: asyncpg.Connection, project: Project, choice: EventChoice, chunk: Chunk, limit: int
) -> list[StoredEvent]:
    values: list[object] = []
    where = choice.where(project, chunk, values)
    rows = await connection.fetch(
        f"SELECT {', '.join(STORED)} FROM events WHERE {where} ORDER BY seq LIMIT {int(limit)}", *values
    )
    return [StoredEvent(*row.values()) for row in rows]


async def count_chosen(
    connection: asyncpg.Connection, project: Project, choice: EventChoice, upto: int
) -> int | None:
    """How many events are chosen of those with numbers up to `upto`; None when counting takes more than 5 s."""
    values: list[object] = []
    where = await _condition(connection, project, choice, upto, values)
    return 0 if where is None else await _count(connection, where, values)


async def count_common(
    connection: asyncpg.Connection,
    project: Project,
    choice: EventChoice,
    others: Sequence[tuple[EventChoice, int, int]],
    upto: int,
    arrived_by: datetime,
) -> int | None:
    """As `count_chosen`, only events that had arrived by then and that one of `others` (choice, after, upto) chooses, too."""
    values: list[object] = []
    where = await _condition(connection, project, choice, upto, values)
    parts = []
    for other, after, until in others:
        part = await _condition(connection, project, other, until, values, after)
        if part is not None:
            parts.append(f"({part})")
    if where is None or not parts:
        return 0
    values.append(arrived_by)
    return await _count(
        connection, f"{where} AND received_at <= ${len(values)} AND ({' OR '.join(parts)})", values
    )


async def _condition(
    connection: asyncpg.Connection,
    project: Project,
    choice: EventChoice,
    upto: int,
    values: list[object],
    after: int = 0,
) -> str | None:
    chunk = await next_chunk(connection, project.id, after, upto, upto)
    narrow = None if chunk is None else choice.narrow(chunk)
    return None if narrow is None else choice.where(project, narrow, values)


async def _count(connection: asyncpg.Connection, where: str, values: Sequence[object]) -> int | None:
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = {COUNT_TIMEOUT_MS}")
            return int(await connection.fetchval(f"SELECT count(*) FROM events WHERE {where}", *values))
    except asyncpg.QueryCanceledError:
        return None
