"""What a computation of a metric is given and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.period import Period, bucket_of, buckets, local_day, next_bucket
from analytics_api.domain.project import Project
from analytics_api.store.metrics.view import in_view, view_parameters
from analytics_api.store.statements import Asked, fetch


@dataclass(frozen=True, slots=True)
class Figure:
    """The value of one bucket. `value` is null when it cannot be computed; `details` explain it."""

    value: Decimal | None
    numerator: Decimal | None
    denominator: Decimal | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def explained(self, **more: Any) -> Figure:
        """The same figure with more details."""
        return replace(self, details={**self.details, **more})


def count(value: int | Decimal, **details: Any) -> Figure:
    """A figure that is no ratio."""
    return Figure(Decimal(value), Decimal(value), None, details)


def ratio(numerator: int | Decimal | None, denominator: int | Decimal | None, **details: Any) -> Figure:
    """Numerator / denominator; null when one of them is unknown or the denominator is 0."""
    top = None if numerator is None else Decimal(numerator)
    bottom = None if denominator is None else Decimal(denominator)
    return Figure(top / bottom if top is not None and bottom else None, top, bottom, details)


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring buckets of one project's metric, and the moment at which they are looked at."""

    project: Project
    period: Period
    first: date
    """First day of the first bucket."""
    last: date
    """First day of the last bucket."""
    now: datetime
    include_bots: bool = False
    memory: dict[Any, Any] | None = field(default=None, compare=False)
    """What several metrics of one snapshot share, kept here when they are computed one after another."""
    raw: bool = False
    """Whether the zone of `project` is not the one that rollups are kept in, so that raw events are counted."""

    @property
    def after(self) -> date:
        """The first day after the last bucket."""
        return next_bucket(self.last, self.period)

    @property
    def today(self) -> date:
        """The project's local day at `now`."""
        return local_day(self.now, self.project.zone)

    def buckets(self) -> list[date]:
        """First days of all buckets."""
        return list(buckets(self.first, self.last, self.period, self.project.week_start))

    def from_earlier(self, days: int) -> Span:
        """The same span, begun earlier by at least so many days."""
        first = bucket_of(self.first - timedelta(days=days), self.period, self.project.week_start)
        return replace(self, first=first)

    def bucket_sql(self, day: str = "day") -> str:
        """SQL for the first day of the bucket that holds `day`; the counterpart of domain.period.bucket_of."""
        if self.period is Period.DAILY:
            return day
        if self.period is Period.WEEKLY:
            return f"{day} - (extract(isodow FROM {day})::integer + 7 - {int(self.project.week_start)}) % 7"
        return f"date_trunc('month', {day}::timestamp)::date"

    def following_sql(self, bucket: str) -> str:
        """SQL for the bucket after the one that begins on the day `bucket`."""
        if self.period is Period.MONTHLY:
            return f"({bucket} + interval '1 month')::date"
        return f"{bucket} + {7 if self.period is Period.WEEKLY else 1}"

    def parameters(self, **more: Any) -> dict[str, Any]:
        """Bind parameters that most statements share."""
        shared = {"project": self.project.id, "first": self.first, "after": self.after, **more}
        return shared | view_parameters(self.project.zone, self.first, self.after) if self.raw else shared

    def sql(self, statement: str) -> str:
        """The statement over what has the span's days: the rollups, or in another zone the raw events."""
        return in_view(statement) if self.raw else statement


READ_AHEAD = "read ahead"
"""Where the memory of a span has statements that were asked together, each with its rows."""


async def rows_of(connection: AsyncConnection, memory: Mapping[Any, Any] | None, asked: Asked) -> list[Any]:
    """The rows of a statement; those in the memory of a span where it was read ahead."""
    for known, rows in (memory or {}).get(READ_AHEAD, ()):
        if known == asked:
            found: list[Any] = rows
            return found
    return await fetch(connection, asked.sql, asked.parameters)


Compute = Callable[[AsyncConnection, Span], Awaitable[dict[date, Figure]]]
"""Computes a metric for a span from rollups. Buckets without anything are there too: counts are 0, ratios null."""


async def counts(connection: AsyncConnection, span: Span, sql: str, **more: Any) -> dict[date, Figure]:
    """Figures from a statement that gives (bucket, number) and uses the shared parameters; 0 where it gives none."""
    return counted_in(span, await rows_of(connection, span.memory, counting(span, sql, **more)))


def counted_in(span: Span, rows: Sequence[Any]) -> dict[date, Figure]:
    """Figures from rows of (bucket, number); 0 where there is none."""
    found = {row[0]: row[1] for row in rows}
    return {bucket: count(found.get(bucket, 0)) for bucket in span.buckets()}


def counting(span: Span, sql: str, **more: Any) -> Asked:
    """The statement that `counts` asks."""
    return Asked(span.sql(sql), span.parameters(**more), ("bucket", "number"))
