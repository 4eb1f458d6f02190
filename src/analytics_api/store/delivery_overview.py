"""How destinations stand: what became of the events of each type and hour, in one snapshot, so that the sums close.

Hours are those of the events' arrival, in UTC. What a reader has passed and what became of it are counted in the
transaction that moves it; what is parked are rows, and what is pending is counted from the log beyond its position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime

import asyncpg

from analytics_api.domain.outcome import EndState
from analytics_api.store.dead_letters import DISCARDED
from analytics_api.store.delivery_standing import Standing, standings
from analytics_api.store.delivery_window import WITHIN, Window
from analytics_api.store.engine import QUERY_TIMEOUT_MS
from analytics_api.store.log import tail
from analytics_api.store.replays import MARK

MOST_PENDING = 1_000_000
"""Pending events are counted up to here, the oldest first (about a second); of a longer backlog only these."""


@dataclass(slots=True)
class Tally:
    """Where the events of one destination, type and time are."""

    read: int = 0
    """Passed by the reader; counted where it passes them, not where they end."""
    pending: int = 0
    parked: int = 0
    delivered: int = 0
    dead: int = 0
    discarded: int = 0
    """Of the dead."""
    unknown: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """By reason."""

    @property
    def received(self) -> int:
        """Events that arrived since the destination began."""
        return self.read + self.pending

    @property
    def difference(self) -> int:
        """Events that were passed and are nowhere (negative: somewhere twice). 0, or something is wrong here."""
        return self.read - self.parked - self.delivered - self.skipped.total() - self.dead - self.unknown

    def add(self, other: Tally) -> None:
        """Add another's events."""
        self.read += other.read
        self.pending += other.pending
        self.parked += other.parked
        self.delivered += other.delivered
        self.dead += other.dead
        self.discarded += other.discarded
        self.unknown += other.unknown
        self.skipped.update(other.skipped)

    def count(self, outcome: str, reason: str, events: int) -> None:
        """Add a row of the counts."""
        match outcome:
            case EndState.DELIVERED:
                self.delivered += events
            case EndState.SKIPPED:
                self.skipped[reason] += events
            case EndState.DEAD:
                self.dead += events
                self.discarded += events if reason == DISCARDED else 0
            case EndState.UNKNOWN:
                self.unknown += events
            case _:
                self.read += events


Cell = tuple[datetime | None, str]
"""The beginning of the hour or day (None: of all time) and the event type."""


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of some tallies."""
    found = Tally()
    for each in tallies:
        found.add(each)
    return found


@dataclass(frozen=True, slots=True)
class Overview(Standing):
    """How a destination stands, and where its events are."""

    pending_complete: bool
    """False: there are more than MOST_PENDING, and only the first of these are counted."""
    tallies: dict[Cell, Tally]

    @property
    def total(self) -> Tally:
        """Of all types and times."""
        return total(self.tallies.values())

    @property
    def pending(self) -> int:
        """Events not read yet."""
        return self.total.pending

    @property
    def parked(self) -> int:
        """Events that wait for another attempt."""
        return self.total.parked


async def overviews(
    connection: asyncpg.Connection,
    project_id: int,
    window: Window | None = None,
    destination: str | None = None,
) -> list[Overview]:
    """All destinations of a project that have a reader, or one of them, by name."""
    window = window or Window()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(f"SET LOCAL statement_timeout = {QUERY_TIMEOUT_MS}")
        found = await standings(connection, project_id, destination)
        # Those that are up to date share one count of the little that is beyond them.
        pending = {
            position: await _pending(connection, project_id, position, window)
            for position in {each.position for each in found}
        }
        parked = await _parked(connection, project_id, window, destination)
        ends = await ended(connection, project_id, window, destination)
    return [
        _overview(
            each, ends.get(each.destination, {}), parked.get(each.destination, {}), *pending[each.position]
        )
        for each in found
    ]


def _overview(
    standing: Standing,
    tallies: dict[Cell, Tally],
    parked: dict[Cell, int],
    pending: dict[Cell, int],
    complete: bool,
) -> Overview:
    for cell, events in pending.items():
        tallies.setdefault(cell, Tally()).pending = events
    for cell, events in parked.items():
        tallies.setdefault(cell, Tally()).parked = events
    values = {each.name: getattr(standing, each.name) for each in fields(standing)}
    return Overview(**values, pending_complete=complete, tallies=tallies)


async def _pending(
    connection: asyncpg.Connection, project_id: int, position: int, window: Window
) -> tuple[dict[Cell, int], bool]:
    """Events beyond a position, and whether all are counted. Bounded before the window is looked at, so that none is slow."""
    beyond = await tail(connection, project_id, position)
    if beyond is None:
        return {}, True
    rows = await connection.fetch(
        f"""
        SELECT {window.start("received_at")} AS start, event_type,
            count(*) FILTER (WHERE {WITHIN.format("received_at")}) AS events, count(*) AS seen
        FROM (
            SELECT received_at, event_type FROM events
            WHERE project_id = $3 AND seq > $4 AND occurred_at >= $5 AND occurred_at < $6 ORDER BY seq LIMIT $7
        ) AS beyond GROUP BY 1, 2
        """,
        window.first,
        window.last,
        project_id,
        position,
        beyond.lower,
        beyond.upper,
        MOST_PENDING,
    )
    events = {(row["start"], row["event_type"]): row["events"] for row in rows if row["events"]}
    return events, sum(row["seen"] for row in rows) < MOST_PENDING


async def _parked(
    connection: asyncpg.Connection, project_id: int, window: Window, destination: str | None
) -> dict[str, dict[Cell, int]]:
    rows = await connection.fetch(
        f"""
        SELECT destination, {window.start("received_at")} AS start, event_type, count(*) AS events FROM parked_events
        WHERE {WITHIN.format("received_at")} AND {_LIVE} GROUP BY 1, 2, 3
        """,
        window.first,
        window.last,
        project_id,
        destination,
    )
    found: dict[str, dict[Cell, int]] = {}
    for row in rows:
        found.setdefault(row["destination"], {})[row["start"], row["event_type"]] = row["events"]
    return found


async def ended(
    connection: asyncpg.Connection, project_id: int, window: Window, destination: str | None = None
) -> dict[str, dict[Cell, Tally]]:
    """What was read and what became of it, by destination; replays, what is pending and what is parked left out."""
    rows = await connection.fetch(
        f"""
        SELECT destination, {window.start("hour")} AS start, event_type, outcome, reason, sum(events)::bigint AS events
        FROM delivery_counts WHERE {WITHIN.format("hour")} AND {_LIVE}
        GROUP BY 1, 2, 3, 4, 5 HAVING sum(events) <> 0
        """,
        window.first,
        window.last,
        project_id,
        destination,
    )
    found: dict[str, dict[Cell, Tally]] = {}
    for row in rows:
        tallies = found.setdefault(row["destination"], {})
        tally = tallies.setdefault((row["start"], row["event_type"]), Tally())
        tally.count(row["outcome"], row["reason"], row["events"])
    return found


_LIVE = f"project_id = $3 AND ($4::text IS NULL OR destination = $4) AND strpos(destination, '{MARK}') = 0"
