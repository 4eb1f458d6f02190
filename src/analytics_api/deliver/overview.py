"""From what the store holds to what the API and the command line show of deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics_api.deliver.overview_schemas import (
    BreakdownItem,
    Breaker,
    DestinationStatus,
    EventCounts,
    ReconciliationItem,
)
from analytics_api.deliver.report import DeliveryState
from analytics_api.deliver.service import Destinations
from analytics_api.domain.project import Project
from analytics_api.domain.times import EARLIEST, parse_time
from analytics_api.errors import Unprocessable
from analytics_api.store.deliveries import Answers
from analytics_api.store.delivery_answers import Cell
from analytics_api.store.delivery_overview import Overview, Tally, overviews
from analytics_api.store.delivery_window import Grain, Window, hour_of
from analytics_api.store.engine import Database

_USUAL = {Grain.HOUR: timedelta(hours=24), Grain.DAY: timedelta(days=30)}
"""How far back a window reaches that names no beginning."""

_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""Nothing lies behind it or before EARLIEST, and what is added to and taken from either is a time, too."""


def window_of(by: Grain, first: str | None, last: str | None, now: datetime) -> Window:
    """The whole hours or days that hold the time from `first` to `last` (dates or times, ISO 8601; UTC without a zone).

    Without `first`: the last 24 hours, 30 days, or all time. Raises Unprocessable.
    """
    upper = _moment("to", last)
    lower = _moment("from", first)
    if lower is None and by in _USUAL:
        lower = (upper or now) - _USUAL[by]
    if lower is not None:
        lower = _beginning(lower, by)
    if upper is not None and upper > _beginning(upper, by):
        upper = _beginning(upper, by) + (timedelta(days=1) if by == Grain.DAY else timedelta(hours=1))
    if lower is not None and upper is not None and lower >= upper:
        raise Unprocessable("to: must be after from.")
    return Window(by, lower, upper)


def _moment(field: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return min(max(parse_time(text, field), EARLIEST), _LATEST)
    except ValueError as error:
        raise Unprocessable(f"{error}.") from None


def _beginning(moment: datetime, by: Grain) -> datetime:
    hour = hour_of(moment)
    return hour.replace(hour=0) if by == Grain.DAY else hour


async def statuses(
    database: Database, destinations: Destinations, project: Project, now: datetime
) -> list[DestinationStatus]:
    """How the destinations of a project stand, by name."""
    await destinations.refresh()
    async with database.look() as connection:
        found = await overviews(connection, project.id)
    return [_status(each, destinations, project, now) for each in found]


def _status(
    found: Overview, destinations: Destinations, project: Project, now: datetime
) -> DestinationStatus:
    types: dict[str, Tally] = {}
    for (_, event_type), tally in sorted(found.tallies.items(), key=lambda item: item[0][1]):
        types.setdefault(event_type, Tally()).add(tally)
    waited = (now - found.oldest_received_at).total_seconds() if found.oldest_received_at else 0.0
    return DestinationStatus(
        destination=found.destination,
        state=_state(found, destinations, project, now),
        reason=destinations.problem(project, found.destination) or found.reason,
        breaker=_breaker(found, now),
        position=found.position,
        lag_seconds=round(max(waited, 0.0), 3),
        oldest_received_at=found.oldest_received_at,
        failures=found.failures,
        retry_at=found.retry_at,
        last_error=found.last_error,
        last_error_at=found.last_error_at,
        pending_complete=found.pending_complete,
        by_event_type={name: EventCounts(**_counts(tally)) for name, tally in types.items()},
        **_counts(found.total),
    )


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "received": tally.received,
        "pending": tally.pending,
        "parked": tally.parked,
        "delivered": tally.delivered,
        "skipped": tally.skipped.total(),
        "dead": tally.dead,
        "discarded": tally.discarded,
        "unknown": tally.unknown,
        "skipped_by_reason": dict(sorted(tally.skipped.items())),
        "difference": tally.difference,
    }


def _state(found: Overview, destinations: Destinations, project: Project, now: datetime) -> DeliveryState:
    if found.destination not in destinations.names(project):
        return DeliveryState.UNCONFIGURED
    if found.paused:
        return DeliveryState.PAUSED
    if destinations.is_muted(found.destination):
        return DeliveryState.SANDBOX
    return DeliveryState.WAITING if _breaker(found, now) == Breaker.OPEN else DeliveryState.RUNNING


def _breaker(found: Overview, now: datetime) -> Breaker:
    if found.retry_at is not None and found.retry_at > now:
        return Breaker.OPEN
    return Breaker.PROBING if found.failures else Breaker.CLOSED


def breakdown(found: Sequence[Overview], event_type: str | None) -> list[BreakdownItem]:
    """One item for each destination, hour or day, and type; newest first."""
    cells = [
        (start, each.destination, name, tally)
        for each in found
        for (start, name), tally in each.tallies.items()
        if event_type in (None, name)
    ]
    cells.sort(key=lambda cell: (-cell[0].timestamp() if cell[0] else 0, *cell[1:3]))
    return [
        BreakdownItem(destination=destination, start=start, event_type=name, **_counts(tally))
        for start, destination, name, tally in cells
    ]


def reconciliation(found: Mapping[Cell, Answers]) -> list[ReconciliationItem]:
    """One item for each destination or replay, and hour or day; newest first."""

    def place(cell: Cell) -> tuple[float, str, int]:
        destination, replay, start = cell
        return -start.timestamp() if start else 0, destination, replay or 0

    return [_reconciled(cell, found[cell]) for cell in sorted(found, key=place)]


def _reconciled(cell: Cell, answers: Answers) -> ReconciliationItem:
    destination, replay, start = cell
    reasons = {
        "repeated": answers.repeated,
        "dead": answers.dead,
        "unknown": answers.unknown,
        "duplicates": -answers.duplicates,
        "uncounted": -answers.uncounted,
    }
    return ReconciliationItem(
        destination=destination,
        replay=replay,
        start=start,
        requests=answers.requests,
        sent=answers.sent,
        unanswered=answers.unanswered,
        acknowledged=answers.acknowledged,
        acknowledged_as_number=answers.counted,
        delivered_records=answers.records,
        delivered_events=answers.events,
        difference=answers.acknowledged - answers.records,
        reasons={reason: number for reason, number in reasons.items() if number},
    )
