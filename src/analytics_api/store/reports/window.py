"""The stretch of time that a report looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Self

from analytics_api.domain.event import INACTIVE_EVENT_TYPES
from analytics_api.domain.period import local_day, start_of_day
from analytics_api.domain.project import Project

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
