"""GET /deliveries: how the destinations stand, by event type and hour, and what the providers acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Request

from analytics_api.access.dependencies import DatabaseOf, ReadCaller
from analytics_api.deliver import administration
from analytics_api.deliver.overview import breakdown, reconciliation, statuses, window_of
from analytics_api.deliver.overview_schemas import Breakdown, DeliveryOverview, Reconciliation
from analytics_api.deliver.service import Destinations
from analytics_api.routes import Routes
from analytics_api.store.delivery_answers import stored_answers
from analytics_api.store.delivery_overview import overviews
from analytics_api.store.delivery_window import Grain

router = Routes(prefix="/deliveries", tags=["delivery"])

MOST_ITEMS = 10_000

By = Annotated[
    Grain, Query(description="What an item sums up: an hour, a day (of UTC), or all of the period.")
]
From = Annotated[
    str | None,
    Query(
        alias="from",
        description="Date or time (ISO 8601, UTC without a zone). Default: 24 hours ago by hour, 30 days by day, else the start.",
    ),
]
To = Annotated[str | None, Query(alias="to", description="Date or time, not included. Default: now.")]
Limit = Annotated[
    int, Query(ge=1, le=MOST_ITEMS, description="Most items; `more` says when there are others.")
]
DestinationName = Annotated[str | None, Query(description="Only of this destination.")]


@router.get("", summary="How the destinations stand", response_model=DeliveryOverview)
async def overview(request: Request, caller: ReadCaller, database: DatabaseOf) -> DeliveryOverview:
    """State, backlog, errors and counts of every destination, from one snapshot, so that the sums close."""
    destinations: Destinations = request.app.state.services.destinations
    return DeliveryOverview(
        project=caller.project.slug,
        sandbox_mode=destinations.sandbox_mode,
        destinations=await statuses(database, destinations, caller.project, datetime.now(UTC)),
    )


@router.get("/breakdown", summary="Where events are, by hour and type", response_model=Breakdown)
async def by_hour(
    caller: ReadCaller,
    database: DatabaseOf,
    by: By = Grain.HOUR,
    destination: DestinationName = None,
    event_type: Annotated[str | None, Query(description="Only of this type.")] = None,
    first: From = None,
    last: To = None,
    limit: Limit = 1000,
) -> Breakdown:
    """Events by hour or day of their arrival. The sum of every item closes, at any time."""
    window = window_of(by, first, last, datetime.now(UTC))
    async with database.look() as connection:
        await administration.check_name(connection, caller.project, destination)
        found = await overviews(connection, caller.project.id, window, destination)
    items = breakdown(found, event_type)
    return Breakdown(
        project=caller.project.slug,
        by=by,
        first=window.first,
        last=window.last,
        items=items[:limit],
        more=len(items) > limit,
        pending_complete=all(each.pending_complete for each in found),
    )


@router.get("/reconciliation", summary="Delivered against acknowledged", response_model=Reconciliation)
async def reconcile(
    caller: ReadCaller,
    database: DatabaseOf,
    by: By = Grain.DAY,
    destination: DestinationName = None,
    first: From = None,
    last: To = None,
    limit: Limit = 1000,
) -> Reconciliation:
    """What is held as delivered against what the providers' answers say, by hour or day of the answer."""
    window = window_of(by, first, last, datetime.now(UTC))
    async with database.look() as connection:
        await administration.check_name(connection, caller.project, destination)
        found = await stored_answers(connection, caller.project.id, destination, window)
    items = reconciliation(found)
    return Reconciliation(
        project=caller.project.slug,
        by=by,
        first=window.first,
        last=window.last,
        items=items[:limit],
        more=len(items) > limit,
    )
