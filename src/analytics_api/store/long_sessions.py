"""Sessions where activity goes on for 24 hours without a pause: the single events decide where they are cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from analytics_api.domain.event import INACTIVE_EVENT_TYPES, EventType
from analytics_api.domain.project import Project
from analytics_api.domain.sessions import PAUSE, Session, cut, is_long, islands, join
from analytics_api.store.chunk_table import active
from analytics_api.store.identity import sent_ids
from analytics_api.store.rollups import mark_dirty

Key = tuple[UUID, str]
"""Person and device; events from servers have no device."""

_NEW = """
    SELECT person_id, device, started_at, ended_at, events, page_views, is_bot
    FROM unnest($1::uuid[], $2::text[]) AS long (person_id, device) JOIN ({pieces}) AS piece USING (person_id, device)
"""

_KNOWN = """
    SELECT s.person_id, s.device, s.started_at, s.ended_at, s.events, s.page_views, s.is_bot
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[]) AS near (person_id, device, lower, upper)
    JOIN sessions s USING (person_id, device)
    WHERE s.ended_at > near.lower AND s.started_at < near.upper
"""

_RAW = f"""
    SELECT occurred_at, is_bot, event_type = $6 AS page_view FROM events
    WHERE person_id = ANY ($1) AND coalesce(anonymous_id, '') = $2 AND occurred_at >= $3 AND occurred_at <= $4
      AND seq <= $5 AND {active("$7")}
"""


@dataclass(slots=True)
class _Near:
    """What is known of one person on one device around the new events."""

    new: list[Session] = field(default_factory=list)
    known: dict[datetime, Session] = field(default_factory=dict)
    """By start, so that a row fetched twice counts once."""

    def reach(self) -> tuple[datetime, datetime]:
        """From the pause before everything to the pause after it."""
        pieces = [*self.new, *self.known.values()]
        return min(p.started_at for p in pieces) - PAUSE, max(p.ended_at for p in pieces) + PAUSE


async def cut_sessions(
    connection: asyncpg.Connection,
    project: Project,
    keys: Sequence[Key],
    pieces: str,
    upto: int,
    now: datetime,
    cause: str,
) -> None:
    """Make the sessions of these persons and devices around new pieces anew, in the caller's transaction.

    `pieces` is the SQL that gives them, `upto` the last sequence number that counts.
    """
    nearby: dict[Key, _Near] = defaultdict(_Near)
    persons, devices = zip(*keys, strict=True)
    for row in await connection.fetch(_NEW.format(pieces=pieces), persons, devices):
        nearby[row["person_id"], row["device"]].new.append(_session(row))
    await _find_known(connection, nearby)
    sent: dict[UUID, list[UUID]] = defaultdict(list)
    for sent_id, person in (await sent_ids(connection, set(persons))).items():
        sent[person].append(sent_id)
    old: list[tuple[Key, Session]] = []
    new: list[tuple[Key, Session]] = []
    for key, near in nearby.items():
        made = [
            session
            for island in islands([*near.new, *near.known.values()])
            for session in await _sessions_of(connection, sent[key[0]], key[1], island, upto)
        ]
        old += [(key, session) for session in near.known.values() if session not in made]
        new += [(key, session) for session in made if session not in near.known.values()]
    await _replace(connection, project, old, new)
    days = {_day(project, session) for _, session in [*old, *new]}
    await mark_dirty(connection, project, days, now, cause)


def _day(project: Project, session: Session) -> date:
    """A session belongs to the local day of its start."""
    return session.started_at.astimezone(project.zone).date()


def _event(row: asyncpg.Record) -> Session:
    return Session(row["occurred_at"], row["occurred_at"], 1, int(row["page_view"]), row["is_bot"])


def _session(row: asyncpg.Record) -> Session:
    return Session(row["started_at"], row["ended_at"], row["events"], row["page_views"], row["is_bot"])


async def _find_known(connection: asyncpg.Connection, nearby: dict[Key, _Near]) -> None:
    """Fetch the sessions that touch the new events, and those that touch these in turn."""
    searched = list(nearby.items())
    while searched:
        reaches = {key: near.reach() for key, near in searched}
        rows = await connection.fetch(
            _KNOWN,
            [key[0] for key in reaches],
            [key[1] for key in reaches],
            [lower for lower, _ in reaches.values()],
            [upper for _, upper in reaches.values()],
        )
        for row in rows:
            known = nearby[row["person_id"], row["device"]].known
            known[row["started_at"]] = _session(row)
        searched = [(key, nearby[key]) for key, reach in reaches.items() if nearby[key].reach() != reach]


async def _sessions_of(
    connection: asyncpg.Connection, sent: list[UUID], device: str, island: list[Session], upto: int
) -> list[Session]:
    if not is_long(island):
        return [join(island)]
    whole = join(island)
    rows = await connection.fetch(
        _RAW,
        sent,
        device,
        whole.started_at,
        whole.ended_at,
        upto,
        EventType.PAGE_VIEW.value,
        list(INACTIVE_EVENT_TYPES),
    )
    return cut(_event(row) for row in rows)


async def _replace(
    connection: asyncpg.Connection,
    project: Project,
    old: list[tuple[Key, Session]],
    new: list[tuple[Key, Session]],
) -> None:
    await connection.execute(
        """
        DELETE FROM sessions USING unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS gone (person_id, device, started_at)
        WHERE sessions.person_id = gone.person_id AND sessions.device = gone.device
          AND sessions.started_at = gone.started_at
        """,
        [key[0] for key, _ in old],
        [key[1] for key, _ in old],
        [session.started_at for _, session in old],
    )
    columns: Iterable[list[Any]] = (
        [key[0] for key, _ in new],
        [key[1] for key, _ in new],
        [session.started_at for _, session in new],
        [session.ended_at for _, session in new],
        [_day(project, session) for _, session in new],
        [session.is_bot for _, session in new],
        [session.events for _, session in new],
        [session.page_views for _, session in new],
    )
    await connection.execute(
        """
        INSERT INTO sessions
            (project_id, person_id, device, started_at, ended_at, day, is_bot, events, page_views)
        SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::date[],
                                 $7::bool[], $8::int[], $9::int[])
        """,
        project.id,
        *columns,
    )
