"""The tracking plan over HTTP: the plan itself, a dry run of a schema, and the list of warnings."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import Query, Request, Response

from analytics_api.access.dependencies import DatabaseOf, EditCaller, ReadCaller
from analytics_api.domain.clock import system_clock
from analytics_api.domain.plan import WarningKind
from analytics_api.errors import NotFound
from analytics_api.ingest.plan.document import plan_document, store_plan, store_type
from analytics_api.ingest.plan.dry_run import dry_run
from analytics_api.ingest.plan.models import (
    BrokenPath,
    CheckBody,
    CheckResult,
    PlanBody,
    StoredTypePlan,
    TrackingPlan,
    TypeName,
    TypePlan,
    WarningItem,
    WarningList,
)
from analytics_api.ingest.plan.plans import Plans
from analytics_api.routes import Routes
from analytics_api.store.plans import StoredPlan, delete_type, find_plan
from analytics_api.store.warnings import StoredWarning, list_warnings

router = Routes(tags=["tracking plan"])


def _plans(request: Request) -> Plans:
    plans: Plans = request.app.state.plans
    return plans


@router.get("/tracking-plan", summary="The tracking plan")
async def read_plan(caller: ReadCaller, database: DatabaseOf) -> TrackingPlan:
    """How events are checked, and what is expected of each type."""
    async with database.look() as connection:
        plan = await find_plan(connection, caller.project.id)
    return _answer(caller.project.slug, plan or StoredPlan())


@router.put("/tracking-plan", summary="Set the tracking plan")
async def write_plan(
    body: PlanBody, request: Request, caller: EditCaller, database: DatabaseOf
) -> TrackingPlan:
    """Other processes follow within seconds. With `event_types` the whole plan is replaced, or nothing changes."""
    types = body.event_types
    planned = None if types is None else {name: one.planned() for name, one in types.items()}
    async with database.acquire() as connection:
        await store_plan(
            connection, caller.project.id, body.mode, body.unknown_types, planned, system_clock()
        )
        plan = await find_plan(connection, caller.project.id)
    await _plans(request).refresh()
    return _answer(caller.project.slug, plan or StoredPlan())


@router.get("/tracking-plan/event-types/{event_type:path}", summary="What is expected of an event type")
async def read_type(event_type: TypeName, caller: ReadCaller, database: DatabaseOf) -> StoredTypePlan:
    """Its schema and description."""
    async with database.look() as connection:
        plan = await find_plan(connection, caller.project.id)
    return _type(plan, event_type)


@router.put("/tracking-plan/event-types/{event_type:path}", summary="Register an event type")
async def write_type(
    event_type: TypeName, body: TypePlan, request: Request, caller: EditCaller, database: DatabaseOf
) -> StoredTypePlan:
    """New, or in place of what is there. A schema that is wrong is refused with the place where it is."""
    async with database.acquire() as connection:
        await store_type(connection, caller.project.id, event_type, body.planned(), system_clock())
        plan = await find_plan(connection, caller.project.id)
    await _plans(request).refresh()
    return _type(plan, event_type)


@router.delete(
    "/tracking-plan/event-types/{event_type:path}",
    summary="Take an event type out of the plan",
    status_code=204,
)
async def remove_type(
    event_type: TypeName, request: Request, caller: EditCaller, database: DatabaseOf
) -> Response:
    """Its events are then of an unknown type."""
    async with database.acquire() as connection:
        found = await delete_type(connection, caller.project.id, event_type, system_clock())
    if not found:
        raise NotFound(f"The tracking plan has no event type {event_type!r}.")
    await _plans(request).refresh()
    return Response(status_code=204)


@router.post("/tracking-plan/check", summary="Try a schema on stored events")
async def check(body: CheckBody, caller: ReadCaller, database: DatabaseOf) -> CheckResult:
    """How many of the newest events of a type a schema would break. Nothing is changed."""
    report = await dry_run(database, caller.project.id, body.event_type, body.schema_, body.limit)
    return CheckResult(
        event_type=body.event_type,
        checked=report.checked,
        broken=report.broken,
        paths=[
            BrokenPath(path=path, events=one.events, reason=one.reason, event_id=one.event_id)
            for path, one in report.paths.items()
        ],
    )


@router.get("/warnings", summary="What intake found odd")
async def warnings(
    caller: ReadCaller,
    database: DatabaseOf,
    kind: WarningKind | None = None,
    event_type: Annotated[TypeName | None, Query(description="Only of this event type.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most items.")] = 100,
) -> WarningList:
    """Events that broke the plan, and fields that were dropped or changed; counted, a few seconds late."""
    async with database.look() as connection:
        found = await list_warnings(
            connection, caller.project.id, kind=kind, event_type=event_type, limit=limit
        )
    return WarningList(project=caller.project.slug, warnings=[_warning(one) for one in found])


def _answer(project: str, plan: StoredPlan) -> TrackingPlan:
    return TrackingPlan(
        project=project, version=plan.version, updated_at=plan.updated_at, **plan_document(plan)
    )


def _type(plan: StoredPlan | None, event_type: str) -> StoredTypePlan:
    found = plan.types.get(event_type) if plan is not None else None
    if found is None:
        raise NotFound(f"The tracking plan has no event type {event_type!r}.")
    values: dict[str, Any] = {"schema": orjson.loads(found.schema)}
    return StoredTypePlan(
        event_type=event_type, description=found.description, updated_at=found.updated_at, **values
    )


def _warning(found: StoredWarning) -> WarningItem:
    return WarningItem(
        kind=found.kind,
        event_type=found.event_type,
        path=found.path,
        count=found.events,
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        message=found.message,
        sample=orjson.loads(found.sample) if found.sample is not None else None,
    )
