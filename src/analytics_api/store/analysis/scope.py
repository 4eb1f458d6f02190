"""Which events of a project an analysis looks at: those that the rollups have counted, within some days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.event import INACTIVE_EVENT_TYPES
from analytics_api.domain.filters import AllOf, asks_person
from analytics_api.domain.period import local_day, start_of_day
from analytics_api.domain.project import Project
from analytics_api.errors import Unprocessable
from analytics_api.store.chunk_table import active
from analytics_api.store.filter_sql import Binds, check_patterns, filter_sql
from analytics_api.store.statements import fetch


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: of one type, or any that makes its person active, with filters."""

    event_type: str | None = None
    filters: AllOf = field(default_factory=AllOf)


class People(Protocol):
    """A group of persons."""

    def sql(self, scope: Scope, person: str, binds: Binds) -> str:
        """SQL for whether the person with the id `person` belongs to it."""

    def in_words(self) -> str:
        """For people."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One snapshot of a project's events, as of a moment, in the days of a zone."""

    connection: AsyncConnection
    project: Project
    zone: ZoneInfo
    as_of: datetime
    cut: bool
    """Whether events after `as_of` are left out, because it is not now."""
    position: int
    """As far as rollups have counted: events behind it are in no figure yet."""
    gone_until: date | None
    """The last day whose raw events retention has removed."""
    include_bots: bool = False
    filters: AllOf = field(default_factory=AllOf)
    """What every event that is looked at must meet."""
    people: tuple[People, ...] = ()
    """Groups to all of which its person must belong."""

    @property
    def whole(self) -> bool:
        """Whether all events and persons are looked at, so that rollups may answer."""
        return not self.filters.parts and not self.people

    @property
    def today(self) -> date:
        """The local day of `as_of`."""
        return local_day(self.as_of, self.zone)

    def stretch(self, first: date, last: date, extra: timedelta = timedelta()) -> tuple[datetime, datetime]:
        """From the first instant of a local day to the end of another and a little longer, not beyond a past `as_of`."""
        since = start_of_day(first, self.zone)
        until = start_of_day(last + timedelta(days=1), self.zone) + extra
        if self.cut:
            until = max(since, min(until, self.as_of + timedelta(microseconds=1)))
        return since, until


def in_firsts(scope: Scope, kind: Kind) -> bool:
    """Whether `person_firsts` knows when somebody did it first."""
    return kind.event_type is not None and not kind.filters.parts and not scope.filters.parts


async def find_position(connection: AsyncConnection, project: Project) -> tuple[int, date | None]:
    """How far rollups have counted, and the last day whose raw events are gone."""
    [row] = await fetch(
        connection,
        """
        SELECT coalesce((SELECT position FROM readers WHERE project_id = :project AND name = 'rollups'), 0) AS position,
               (SELECT max(day) FROM project_days WHERE project_id = :project AND state = 'sealed') AS sealed
        """,
        {"project": project.id},
    )
    return int(row.position), row.sealed


async def never_counted(connection: AsyncConnection, project: Project, types: Sequence[str]) -> list[str]:
    """Those of some event types of which no event of the project has ever been counted."""
    if not types:
        return []
    rows = await fetch(
        connection,
        """
        SELECT type FROM unnest(CAST(:types AS text[])) WITH ORDINALITY AS asked (type, place)
        WHERE NOT EXISTS (SELECT 1 FROM event_days d WHERE d.project_id = :project AND d.event_type = asked.type)
        ORDER BY place
        """,
        {"project": project.id, "types": list(types)},
    )
    return [row.type for row in rows]


@dataclass(slots=True)
class Statement:
    """The FROM and WHERE of one statement over events `e`, their canonical person and, if need be, the person `p`."""

    scope: Scope
    since: datetime
    until: datetime
    binds: Binds = field(default_factory=Binds)
    with_person: bool = True
    """Leave out events that name nobody."""
    _joins_person: bool = False
    _conditions: list[str] = field(default_factory=list)

    PERSON = "coalesce(m.canonical_id, e.person_id)"

    def filter(self, filters: AllOf) -> str:
        """SQL for a filter."""
        self._joins_person |= asks_person(filters)
        return filter_sql(filters, self.binds)

    def join_person(self) -> None:
        """Columns of the person are used."""
        self._joins_person = True

    def kind(self, kind: Kind) -> str:
        """SQL for a kind of event."""
        if kind.event_type is None:
            chosen = active(self.binds.bind(list(INACTIVE_EVENT_TYPES), "text[]"))
        else:
            chosen = f"e.event_type = {self.binds.bind(kind.event_type, 'text')}"
        return f"{chosen} AND {self.filter(kind.filters)}" if kind.filters.parts else chosen

    def any_kind(self, kinds: Sequence[Kind]) -> str:
        """SQL for one of some kinds."""
        return " OR ".join(f"({self.kind(kind)})" for kind in kinds)

    def only(self, condition: str) -> None:
        """Look at events alone that meet a condition."""
        self._conditions.append(condition)

    def only_types_of(self, kinds: Sequence[Kind]) -> None:
        """Look at events alone whose types matter, so that an index finds them."""
        types = {kind.event_type for kind in kinds}
        if None not in types:
            self.only(f"e.event_type = ANY ({self.binds.bind(sorted(filter(None, types)), 'text[]')})")

    def source(self) -> str:
        """FROM and WHERE. To be asked for last."""
        conditions = [*self._conditions]
        if self.scope.filters.parts:
            conditions.append(self.filter(self.scope.filters))
        if not self.scope.include_bots:
            conditions.append("NOT e.is_bot")
        if self.with_person or self.scope.people:
            conditions.append("e.has_person")
        conditions += [people.sql(self.scope, self.PERSON, self.binds) for people in self.scope.people]
        bind = self.binds.bind
        join = f"LEFT JOIN persons p ON p.person_id = {self.PERSON}" if self._joins_person else ""
        return f"""
            FROM events e LEFT JOIN person_merges m ON m.person_id = e.person_id {join}
            WHERE e.project_id = {int(self.scope.project.id)} AND e.occurred_at >= {bind(self.since, "timestamptz")}
              AND e.occurred_at < {bind(self.until, "timestamptz")} AND e.seq <= {int(self.scope.position)}
              AND e.seq NOT IN (SELECT seq FROM rollup_failures WHERE project_id = {int(self.scope.project.id)})
              {"".join(f" AND ({condition})" for condition in conditions)}
        """

    def parameters(self, **more: Any) -> dict[str, Any]:
        """All values that are bound."""
        return {**self.binds.parameters, **more}


async def check(connection: AsyncConnection, filters: Sequence[AllOf]) -> None:
    """Raises Unprocessable when PostgreSQL does not take a pattern."""
    for each in filters:
        try:
            await check_patterns(connection, each)
        except ValueError as error:
            raise Unprocessable(f"filters: {error}") from None
