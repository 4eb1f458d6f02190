"""Partitions of the log: found, made ahead and made on demand. Names and bounds live in the table `partitions`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

ATTEMPTS = 5
LOCK_TIMEOUT = "3s"
"""ATTACH needs a short exclusive lock on the new partition and a weak one on `events`; a long wait would queue others."""


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """A piece of the log: events that occurred from `lower` up to, not including, `upper`."""

    lower: datetime
    upper: datetime
    name: str


def interval_of(moment: datetime, interval: str) -> tuple[datetime, datetime]:
    """Bounds in UTC of the month, week (from Monday) or day that holds `moment`."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "day":
        return day, day + timedelta(days=1)
    if interval == "week":
        lower = day - timedelta(days=day.weekday())
        return lower, lower + timedelta(days=7)
    lower = day.replace(day=1)
    return lower, (lower + timedelta(days=32)).replace(day=1)


class Partitions:
    """What one process knows of the partitions. Others may add or drop some at any time; `load` looks again."""

    def __init__(self, interval: str = "month") -> None:
        self.interval = interval
        self._known: list[Partition] = []
        self._lowers: list[datetime] = []

    def find(self, moment: datetime) -> Partition | None:
        """The known partition that holds an instant."""
        index = bisect_right(self._lowers, moment) - 1
        if index < 0:
            return None
        partition = self._known[index]
        return partition if moment < partition.upper else None

    def find_common(self, moments: Sequence[datetime]) -> Partition | None:
        """The known partition that holds all of some instants, as is usual; None when several do, or none."""
        partition = self.find(min(moments))
        return partition if partition is not None and max(moments) < partition.upper else None

    async def load(self, connection: asyncpg.Connection) -> None:
        """Read the list from the database."""
        rows = await connection.fetch("SELECT lower, upper, name FROM partitions ORDER BY lower")
        self._known = [Partition(row["lower"], row["upper"], row["name"]) for row in rows]
        self._lowers = [partition.lower for partition in self._known]

    async def ensure(self, connection: asyncpg.Connection, moment: datetime) -> Partition:
        """The partition that holds an instant, made now if there is none. Not to be called inside a transaction."""
        found = self.find(moment)
        if found is not None:
            return found
        for attempt in range(ATTEMPTS):
            try:
                await self._make(connection, moment)
            except (asyncpg.LockNotAvailableError, asyncpg.UniqueViolationError, asyncpg.DuplicateTableError):
                if attempt == ATTEMPTS - 1:
                    raise
            await self.load(connection)
            found = self.find(moment)
            if found is not None:
                return found
        raise RuntimeError(f"no partition for {moment.isoformat()} after {ATTEMPTS} attempts")

    async def _make(self, connection: asyncpg.Connection, moment: datetime) -> None:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            # One maker at a time, so that two processes never try overlapping bounds.
            await connection.execute("LOCK TABLE partitions IN SHARE ROW EXCLUSIVE MODE")
            await self.load(connection)
            if self.find(moment) is not None:
                return
            lower, upper = interval_of(moment, self.interval)
            # After a change of interval the neighbours may reach into this one.
            lower = max([lower, *(p.upper for p in self._known if p.upper <= moment)])
            upper = min([upper, *(p.lower for p in self._known if p.lower > moment)])
            name = f"events_{lower:%Y%m%d}_{upper:%Y%m%d}"
            # CREATE ... PARTITION OF would wait for every running query on `events`; ATTACH does not.
            await connection.execute(
                f"CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
            )
            bound = f"occurred_at >= '{lower.isoformat()}' AND occurred_at < '{upper.isoformat()}'"
            await connection.execute(f"ALTER TABLE {name} ADD CONSTRAINT bounds CHECK ({bound})")
            await connection.execute(
                f"ALTER TABLE events ATTACH PARTITION {name} "
                f"FOR VALUES FROM ('{lower.isoformat()}') TO ('{upper.isoformat()}')"
            )
            await connection.execute(f"ALTER TABLE {name} DROP CONSTRAINT bounds")
            await connection.execute(
                "INSERT INTO partitions (name, lower, upper) VALUES ($1, $2, $3)", name, lower, upper
            )


async def make_ahead(
    connection: asyncpg.Connection, partitions: Partitions, now: datetime, count: int = 3
) -> int:
    """Make the partition of `now` and the `count` that follow. Returns how many were new."""
    await partitions.load(connection)
    moment, made = now, 0
    for _ in range(count + 1):
        if partitions.find(moment) is None:
            made += 1
        moment = (await partitions.ensure(connection, moment)).upper
    return made
