"""How destinations stand: what became of the events of each type and hour, in one snapshot, so that the sums close.

Hours are those of the events' arrival, in UTC. What a reader has passed and what became of it are counted in the
transaction that moves it; what is parked are rows, and what is pending is counted from the log beyond its position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from analytics_api.domain.outcome import EndState
from analytics_api.store.dead_letters import DISCARDED
from analytics_api.store.deliveries import PREFIX
from analytics_api.store.delivery_window import WITHIN, Window
from analytics_api.store.engine import QUERY_TIMEOUT_MS
from analytics_api.store.log import tail

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
class Overview:
    """How a destination stands."""

    destination: str
    position: int
    paused: bool
    reason: str | None
    failures: int
    retry_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    oldest_received_at: datetime | None
    """The arrival of the oldest event that is pending or parked, within the window."""
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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Events that are pending, or parked."""

    events: dict[Cell, int]
    oldest: datetime | None
    complete: bool = True


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
        rows = await connection.fetch(
            """
            SELECT substr(name, length($2) + 1) AS destination, position, state = 'paused' AS paused, reason, failures,
                retry_at, last_error, last_error_at
            FROM readers WHERE project_id = $1 AND starts_with(name, $2) AND ($3::text IS NULL OR name = $2 || $3)
            ORDER BY name
            """,
            project_id,
            PREFIX,
            destination,
        )
        # Those that are up to date share one count of the little that is beyond them.
        pending = {
            position: await _pending(connection, project_id, position, window)
            for position in {row["position"] for row in rows}
        }
        return [
            await _overview(connection, project_id, row, window, pending[row["position"]]) for row in rows
        ]


async def _overview(
    connection: asyncpg.Connection,
    project_id: int,
    row: asyncpg.Record,
    window: Window,
    pending: _Waiting,
) -> Overview:
    parked = await _parked(connection, project_id, row["destination"], window)
    tallies = await _ended(connection, project_id, row["destination"], window)
    for cell, events in pending.events.items():
        tallies.setdefault(cell, Tally()).pending = events
    for cell, events in parked.events.items():
        tallies.setdefault(cell, Tally()).parked = events
    return Overview(
        **dict(row),
        oldest_received_at=min(filter(None, (pending.oldest, parked.oldest)), default=None),
        pending_complete=pending.complete,
        tallies=tallies,
    )


async def _pending(
    connection: asyncpg.Connection, project_id: int, position: int, window: Window
) -> _Waiting:
    """Events beyond a position. Bounded before the window is looked at, so that no window makes it slow."""
    beyond = await tail(connection, project_id, position)
    if beyond is None:
        return _Waiting({}, None)
    within = WITHIN.format("received_at")
    rows = await connection.fetch(
        f"""
        SELECT {window.start("received_at")} AS start, event_type, min(received_at) FILTER (WHERE {within}) AS oldest,
            count(*) FILTER (WHERE {within}) AS events, count(*) AS seen
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
    return _waiting(rows, complete=sum(row["seen"] for row in rows) < MOST_PENDING)


async def _parked(
    connection: asyncpg.Connection, project_id: int, destination: str, window: Window
) -> _Waiting:
    rows = await connection.fetch(
        f"""
        SELECT {window.start("received_at")} AS start, event_type, min(received_at) AS oldest, count(*) AS events
        FROM parked_events WHERE {WITHIN.format("received_at")} AND project_id = $3 AND destination = $4 GROUP BY 1, 2
        """,
        window.first,
        window.last,
        project_id,
        destination,
    )
    return _waiting(rows)


def _waiting(rows: list[asyncpg.Record], *, complete: bool = True) -> _Waiting:
    return _Waiting(
        {(row["start"], row["event_type"]): row["events"] for row in rows if row["events"]},
        min((row["oldest"] for row in rows if row["oldest"] is not None), default=None),
        complete,
    )


async def _ended(
    connection: asyncpg.Connection, project_id: int, destination: str, window: Window
) -> dict[Cell, Tally]:
    rows = await connection.fetch(
        f"""
        SELECT {window.start("hour")} AS start, event_type, outcome, reason, sum(events)::bigint AS events
        FROM delivery_counts WHERE {WITHIN.format("hour")} AND project_id = $3 AND destination = $4
        GROUP BY 1, 2, 3, 4 HAVING sum(events) <> 0
        """,
        window.first,
        window.last,
        project_id,
        destination,
    )
    found: dict[Cell, Tally] = {}
    for row in rows:
        tally = found.setdefault((row["start"], row["event_type"]), Tally())
        tally.count(row["outcome"], row["reason"], row["events"])
    return found
