"""/deliveries/...: letting a destination go on, the sandbox's payloads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from analytics_api.access.dependencies import DatabaseOf, EditCaller, ReadCaller
from analytics_api.deliver import administration
from analytics_api.deliver.schemas import (
    Resumed,
    SandboxItem,
    SandboxPage,
)
from analytics_api.routes import Routes
from analytics_api.store import delivery_views

router = Routes(prefix="/deliveries", tags=["delivery"])

Limit = Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")]


@router.post("/{destination}/resume", summary="Let a destination go on", response_model=Resumed)
async def resume(destination: str, caller: EditCaller, database: DatabaseOf) -> Resumed:
    """Resume a paused destination, or try one that waits after a failure at the next run instead of at `retry_at`."""
    async with database.acquire() as connection:
        resumed = await administration.resume(connection, caller.project, destination, datetime.now(UTC))
    return Resumed(destination=destination, resumed=resumed)


@router.get("/sandbox", summary="Payloads logged in sandbox mode", response_model=SandboxPage)
async def sandbox(
    caller: ReadCaller,
    database: DatabaseOf,
    limit: Limit = 100,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
) -> SandboxPage:
    """What would have gone to a provider, newest first."""
    async with database.look() as connection:
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
