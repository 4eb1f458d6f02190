"""Figures for tests: events counted by the real rollup reader, then asked for as the API asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.event import NewEvent
from analytics_api.domain.metrics import Metric, find_metric
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.metrics.answer import Figures, Point
from tests.support.events import make_event, write_events

LATE_DAYS = 7


def at(day: date | str, hour: int = 12, minute: int = 0) -> datetime:
    """An instant in UTC."""
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime.combine(day, time(hour, minute), tzinfo=UTC)


def event_on(
    project: Project, day: date | str, person: str | None, kind: str = "feature_used", **more: Any
) -> NewEvent:
    """An event at noon UTC of a day."""
    return make_event(project, kind, user_id=person, occurred_at=at(day), **more)


def payment_on(project: Project, day: date | str, person: str | None, amount: str, **more: Any) -> NewEvent:
    """A captured payment; `payment_id=` and `currency=` may be given."""
    data = {"payment_id": more.pop("payment_id")} if "payment_id" in more else {}
    return event_on(project, day, person, "payment_completed", revenue=amount, event_data=data, **more)


def subscription_on(
    project: Project,
    day: date | str,
    person: str,
    kind: str,
    amount: str | None = None,
    *,
    subscription: str | None = None,
    **data: Any,
) -> NewEvent:
    """A change of a person's subscription: created, renewed, upgraded, downgraded or cancelled."""
    data["subscription_id"] = subscription or f"sub-{person}"
    if amount is not None:
        data["amount"] = amount
    return event_on(project, day, person, f"subscription_{kind}", event_data=data)


async def record(database: Database, events: Sequence[NewEvent]) -> None:
    """Store events and count all that wait."""
    if events:
        await write_events(database, events)
    reader = RollupReader(database, "test")
    try:
        await reader.run_once()
    finally:
        await reader.disconnect()


def metric(name: str) -> Metric:
    """A metric of the catalogue."""
    found = find_metric(name)
    assert found is not None, name
    return found


async def points(
    database: Database,
    project: Project,
    name: str,
    first: date | str,
    last: date | str,
    *,
    now: datetime,
    include_bots: bool = False,
) -> list[Point]:
    """The points that the API would answer."""
    first = date.fromisoformat(first) if isinstance(first, str) else first
    last = date.fromisoformat(last) if isinstance(last, str) else last
    async with database.read() as connection:
        figures = await Figures.of(connection, project, now, LATE_DAYS)
        return await figures.points(metric(name), first, last, include_bots=include_bots)


async def values(
    database: Database, project: Project, name: str, first: date | str, last: date | str, **more: Any
) -> dict[date, Decimal | None]:
    """Values by bucket."""
    return {
        point.bucket: point.figure.value
        for point in await points(database, project, name, first, last, **more)
    }


async def point(database: Database, project: Project, name: str, day: date | str, **more: Any) -> Point:
    """The point of the bucket that holds a day."""
    [found] = await points(database, project, name, day, day, **more)
    return found
