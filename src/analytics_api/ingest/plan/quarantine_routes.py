"""The quarantine over HTTP: looked at, released, discarded."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import Query, Request

from analytics_api.access.dependencies import DatabaseOf, EditCaller, ReadCaller
from analytics_api.domain.clock import system_clock
from analytics_api.errors import Unprocessable
from analytics_api.ingest.plan.models import (
    Choice,
    Discarded,
    QuarantineItem,
    QuarantinePage,
    ReleaseBody,
    Released,
    TypeName,
)
from analytics_api.ingest.plan.plans import Plans
from analytics_api.ingest.plan.release import release_events
from analytics_api.routes import Routes
from analytics_api.store.partitions import Partitions
from analytics_api.store.quarantine import (
    Place,
    QuarantinedEvent,
    Selection,
    count_quarantined,
    discard,
    quarantined,
)

router = Routes(prefix="/quarantine", tags=["tracking plan"])


@router.get("", summary="Events in quarantine")
async def list_quarantine(
    caller: ReadCaller,
    database: DatabaseOf,
    event_type: Annotated[TypeName | None, Query(description="Only of this event type.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")] = 100,
    after: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> QuarantinePage:
    """The oldest first. They are in no figure and at no destination."""
    chosen = Selection(caller.project.id, event_type)
    async with database.look() as connection:
        found = await quarantined(connection, chosen, after=_read_cursor(after), limit=limit + 1)
        counts = await count_quarantined(connection, caller.project.id)
    page = found[:limit]
    return QuarantinePage(
        project=caller.project.slug,
        total=sum(counts.values()),
        by_event_type=counts,
        items=[_item(one) for one in page],
        next=_cursor(page[-1].place) if len(found) > limit else None,
    )


@router.post("/release", summary="Put quarantined events into the log")
async def release_quarantine(
    body: ReleaseBody, request: Request, caller: EditCaller, database: DatabaseOf
) -> Released:
    """Those that keep to the plan of now, or all chosen with `force`. Ids and times stay; each is stored once."""
    partitions: Partitions = request.app.state.partitions
    plan = None
    if not body.force:
        # Another process may have changed it a moment ago.
        plans: Plans = request.app.state.plans
        await plans.refresh()
        plan = plans.of(caller.project.id)
    report = await release_events(
        database,
        partitions,
        _selection(caller.project.id, body),
        plan,
        after=_read_cursor(body.after),
        now=system_clock(),
    )
    return Released(
        released=report.released,
        duplicates=report.duplicates,
        still_broken=report.still_broken,
        reasons=dict(report.reasons.most_common()),
        next=_cursor(report.next) if report.next is not None else None,
    )


@router.post("/discard", summary="Delete quarantined events")
async def discard_quarantine(body: Choice, caller: EditCaller, database: DatabaseOf) -> Discarded:
    """For good. Those that arrive meanwhile stay."""
    async with database.acquire() as connection:
        deleted = await discard(connection, _selection(caller.project.id, body), system_clock())
    return Discarded(discarded=deleted)


def _selection(project_id: int, body: Choice) -> Selection:
    return Selection(project_id, body.event_type, body.event_ids)


def _item(found: QuarantinedEvent) -> QuarantineItem:
    return QuarantineItem(
        event_id=found.event_id,
        event_type=found.event_type,
        event_data=orjson.loads(found.event_data),
        occurred_at=found.occurred_at,
        received_at=found.received_at,
        kind=found.kind,
        path=found.path,
        reason=found.reason,
    )


def _cursor(place: Place) -> str:
    text = json.dumps([place.received_at.isoformat(), str(place.event_id), str(place.person_id)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str | None) -> Place | None:
    if text is None:
        return None
    try:
        received_at, event_id, person_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        place = Place(datetime.fromisoformat(received_at), UUID(event_id), UUID(person_id))
        if place.received_at.tzinfo is None:
            raise ValueError
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise Unprocessable("after is no page of this list: use the `next` of the page before.") from None
    return place
