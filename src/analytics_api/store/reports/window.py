"""The stretch of time that a report looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Self

from analytics_api.domain.event import INACTIVE_EVENT_TYPES
from analytics_api.domain.filters import EVERY_EVENT, AllOf, asks_person
from analytics_api.domain.period import local_day, start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.filter_sql import Binds, filter_sql

COUNTED = """
    e.project_id = :project AND e.occurred_at >= :begins AND e.occurred_at < :ends
    AND e.seq <= (SELECT position FROM readers WHERE project_id = :project AND name = 'rollups')
    AND e.seq NOT IN (SELECT seq FROM rollup_failures WHERE project_id = :project)
    AND (:bots OR NOT e.is_bot)
"""
"""Which events of the log, under the alias `e`, are in a window: those that the rollups have counted, too."""


@dataclass(frozen=True, slots=True)
class Window:
    """Local days of a project, or the last 24 hours."""

    project: Project
    first: date
    """The first local day that it touches."""
    last: date
    begins: datetime
    ends: datetime
    """The first instant after it."""
    now: datetime
    include_bots: bool = False
    rolling: bool = False
    """Whether it is the last 24 hours, which begin inside a day."""
    filters: AllOf = EVERY_EVENT
    """What every event that is looked at must meet; a session, one of its events."""

    @classmethod
    def of_days(cls, project: Project, days: int, now: datetime, *, include_bots: bool = False) -> Self:
        """The last `days` local days, today's included; 1 is the last 24 hours."""
        if days == 1:
            return cls.of_hours(project, 24, now, include_bots=include_bots)
        today = local_day(now, project.zone)
        return cls.of_dates(project, today - timedelta(days=days - 1), today, now, include_bots=include_bots)

    @classmethod
    def of_dates(
        cls, project: Project, first: date, last: date, now: datetime, *, include_bots: bool = False
    ) -> Self:
        """Local days, both included."""
        begins = start_of_day(first, project.zone)
        ends = start_of_day(last + timedelta(days=1), project.zone)
        return cls(project, first, last, begins, ends, now, include_bots)

    @classmethod
    def of_hours(cls, project: Project, hours: float, now: datetime, *, include_bots: bool = False) -> Self:
        """The last hours, up to now."""
        begins = now - timedelta(hours=hours)
        first, last = local_day(begins, project.zone), local_day(now, project.zone)
        ends = now + timedelta(microseconds=1)
        return cls(project, first, last, begins, ends, now, include_bots, rolling=True)

    def of_last_hours(self, hours: float) -> Self:
        """The last hours, asked for in the same way."""
        found = self.of_hours(self.project, hours, self.now, include_bots=self.include_bots)
        return replace(found, filters=self.filters)

    def chosen(self, binds: Binds) -> str:
        """SQL for whether an event `e` is in the window and meets the filters."""
        return f"{COUNTED} AND {filter_sql(self.filters, binds)}" if self.filters.parts else COUNTED

    @property
    def events(self) -> str:
        """FROM for `chosen`: events `e`, who they belong to by `m` and, if need be, the person `p`."""
        person = "LEFT JOIN persons p ON p.person_id = coalesce(m.canonical_id, e.person_id)"
        return f"events e LEFT JOIN person_merges m ON m.person_id = e.person_id {person if asks_person(self.filters) else ''}"

    def of_sessions(self, alias: str, binds: Binds) -> str:
        """SQL for whether a session under an alias has an event that meets the filters, as a further condition."""
        if not self.filters.parts:
            return ""
        return f"""
            AND ({alias}.person_id, {alias}.device, {alias}.started_at) IN (
                SELECT held.person_id, held.device, held.started_at
                FROM {self.events} JOIN sessions held
                    ON held.person_id = coalesce(m.canonical_id, e.person_id) AND held.device = coalesce(e.anonymous_id, '')
                    AND held.project_id = :project AND e.occurred_at BETWEEN held.started_at AND held.ended_at
                WHERE e.has_person AND {self.chosen(binds)})
        """

    def parameters(self, **more: Any) -> dict[str, Any]:
        """Bind parameters of COUNTED, and the days."""
        return {
            "project": self.project.id,
            "begins": self.begins,
            "ends": self.ends,
            "bots": self.include_bots,
            **more,
        }

    def by_days(self, **more: Any) -> dict[str, Any]:
        """Bind parameters for rollups that are kept by day."""
        return {
            "project": self.project.id,
            "first": self.first,
            "last": self.last,
            "bots": self.include_bots,
            **more,
        }


def inactive() -> list[str]:
    """Event types that make nobody active."""
    return list(INACTIVE_EVENT_TYPES)
