"""GET /deliveries and what goes with it: state of the destinations, the sandbox's payloads."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request

from analytics_api.access.dependencies import AdminCaller, DatabaseOf, ReadCaller
from analytics_api.deliver.report import DeliveryState
from analytics_api.deliver.schemas import (
    DeliveryOverview,
    DestinationStatus,
    Resumed,
    SandboxItem,
    SandboxPage,
)
from analytics_api.deliver.service import Destinations
from analytics_api.domain.outcome import EndState
from analytics_api.errors import NotFound
from analytics_api.store import delivery_views, readers
from analytics_api.store.deliveries import reader_name
from analytics_api.store.delivery_views import Overview

router = APIRouter(prefix="/deliveries", tags=["delivery"])

Limit = Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")]


def _destinations(request: Request) -> Destinations:
    destinations: Destinations = request.app.state.services.destinations
    return destinations


@router.get("", summary="How the destinations stand", response_model=DeliveryOverview)
async def overview(request: Request, caller: ReadCaller, database: DatabaseOf) -> DeliveryOverview:
    """Position, backlog, errors and counts of every destination, from one snapshot, so that the sums close."""
    destinations = _destinations(request)
    await destinations.refresh()
    async with database.acquire() as connection:
        found = await delivery_views.overviews(connection, caller.project.id)
    names = destinations.names(caller.project)
    return DeliveryOverview(
        project=caller.project.slug,
        sandbox_mode=destinations.sandbox_mode,
        destinations=[_status(each, names, destinations, datetime.now(UTC)) for each in found],
    )


def _status(
    found: Overview, names: list[str], destinations: Destinations, now: datetime
) -> DestinationStatus:
    totals: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    types: dict[str, Counter[str]] = {}
    for (event_type, outcome, reason), events in found.counts.items():
        totals[outcome] += events
        types.setdefault(event_type, Counter())[outcome] += events
        if outcome == EndState.SKIPPED:
            reasons[reason] += events
    waited = (now - found.oldest_received_at).total_seconds() if found.oldest_received_at else 0.0
    return DestinationStatus(
        destination=found.destination,
        state=_state(found, names, destinations, now),
        reason=found.reason,
        position=found.position,
        pending=found.pending,
        parked=found.parked,
        lag_seconds=round(max(waited, 0.0), 3),
        oldest_received_at=found.oldest_received_at,
        failures=found.failures,
        retry_at=found.retry_at,
        last_error=found.last_error,
        last_error_at=found.last_error_at,
        delivered=totals[EndState.DELIVERED],
        skipped=totals[EndState.SKIPPED],
        dead=totals[EndState.DEAD],
        unknown=totals[EndState.UNKNOWN],
        skipped_by_reason=dict(reasons),
        by_event_type={event_type: dict(counts) for event_type, counts in types.items()},
    )


def _state(found: Overview, names: list[str], destinations: Destinations, now: datetime) -> DeliveryState:
    if found.destination not in names:
        return DeliveryState.UNCONFIGURED
    if found.paused:
        return DeliveryState.PAUSED
    if destinations.is_muted(found.destination):
        return DeliveryState.SANDBOX
    waits = found.retry_at is not None and found.retry_at > now
    return DeliveryState.WAITING if waits else DeliveryState.RUNNING


@router.post("/{destination}/resume", summary="Let a destination go on", response_model=Resumed)
async def resume(destination: str, caller: AdminCaller, database: DatabaseOf) -> Resumed:
    """Resume a paused destination, or try one that waits after a failure at the next run instead of at `retry_at`."""
    async with database.acquire() as connection:
        if not await readers.probe_now(connection, caller.project.id, reader_name(destination)):
            raise NotFound(f"Project {caller.project.slug} has no destination {destination!r}.")
        resumed = await readers.resume(
            connection, caller.project.id, reader_name(destination), datetime.now(UTC)
        )
    return Resumed(destination=destination, resumed=resumed)


@router.get("/sandbox", summary="Payloads logged in sandbox mode", response_model=SandboxPage)
async def sandbox(
    caller: ReadCaller,
    database: DatabaseOf,
    limit: Limit = 100,
    before: Annotated[int | None, Query(description="`next` of the page before.")] = None,
) -> SandboxPage:
    """What would have gone to a provider, newest first."""
    async with database.acquire() as connection:
        found = await delivery_views.sandbox_payloads(
            connection, caller.project.id, before=before, limit=limit + 1
        )
    page = found[:limit]
    return SandboxPage(
        items=[
            SandboxItem(
                id=item.id,
                event_id=item.event_id,
                event_type=item.event_type,
                logged_at=item.logged_at,
                payload=json.loads(item.payload),
            )
            for item in page
        ],
        next=page[-1].id if len(found) > limit else None,
    )
