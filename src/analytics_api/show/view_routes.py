"""/views and /annotations: what a project keeps of its dashboard."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from analytics_api.access.dependencies import DatabaseOf, EditCaller, ReadCaller, TrustedSender
from analytics_api.domain.clock import system_clock
from analytics_api.errors import NotFound
from analytics_api.routes import Routes
from analytics_api.store import saved_views as store

router = Routes(tags=["dashboard"])

_Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
_NO_NUL = r"^[^\x00]*$"
_DEFAULT_DAYS = 30
_EARLIEST, _LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class ViewBody(BaseModel):
    """A view and the name to find it by."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "Germany, this week", "view": "overview?range=7d"}},
    )

    name: str = Field(min_length=1, max_length=100, pattern=_NO_NUL)
    view: str = Field(
        max_length=4000,
        pattern=r"^[a-z][a-z-]*(\?[!-~]*)?$",
        description="A page of the dashboard and what stands behind its `?`.",
    )


class ViewItem(ViewBody):
    """A view as it was saved."""

    id: int
    created_by: str
    created_at: datetime


class ViewList(BaseModel):
    """The saved views of a project, by name."""

    project: str
    views: list[ViewItem]


class AnnotationBody(BaseModel):
    """Something that happened."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"label": "Deploy 1.4.2", "url": "https://example.com/releases/1.4.2"}},
    )

    label: str = Field(min_length=1, max_length=200, pattern=_NO_NUL)
    at: AwareDatetime | None = Field(None, ge=_EARLIEST, le=_LATEST, description="When; default: now.")
    url: str | None = Field(None, max_length=1000, pattern=r"^https?://[!-~]+$", description="More about it.")


class AnnotationItem(BaseModel):
    """An annotation as it is stored."""

    id: int
    at: datetime
    label: str
    url: str | None
    created_by: str
    created_at: datetime


class AnnotationList(BaseModel):
    """What happened, the earliest first."""

    project: str
    annotations: list[AnnotationItem]


@router.get("/views", summary="Saved views")
async def list_views(caller: ReadCaller, database: DatabaseOf) -> ViewList:
    """Those of the project, by name."""
    async with database.read() as connection:
        found = await store.list_views(connection, caller.project.id)
    return ViewList(project=caller.project.slug, views=[ViewItem(**asdict(one)) for one in found])


@router.post("/views", summary="Save a view", status_code=201)
async def save_view(body: ViewBody, caller: EditCaller, database: DatabaseOf) -> ViewItem:
    """In place of that of the same name."""
    async with database.write() as connection:
        saved = await store.save_view(
            connection, caller.project.id, body.name, body.view, caller.name, system_clock()
        )
    return ViewItem(**asdict(saved))


@router.delete("/views/{view_id}", summary="Remove a saved view", status_code=204)
async def remove_view(view_id: _Number, caller: EditCaller, database: DatabaseOf) -> Response:
    """For everybody."""
    async with database.write() as connection:
        if not await store.remove_view(connection, caller.project.id, view_id):
            raise NotFound(f"The project has no saved view {view_id}.")
    return Response(status_code=204)


@router.get("/annotations", summary="What happened")
async def list_annotations(
    caller: ReadCaller,
    database: DatabaseOf,
    since: Annotated[
        AwareDatetime | None, Query(ge=_EARLIEST, le=_LATEST, description="Included; default: 30 days ago.")
    ] = None,
    until: Annotated[
        AwareDatetime | None, Query(ge=_EARLIEST, le=_LATEST, description="Not included; default: no end.")
    ] = None,
) -> AnnotationList:
    """Deploys and the like, the earliest first, the latest 500."""
    first = since or system_clock() - timedelta(days=_DEFAULT_DAYS)
    last = until or _LATEST
    async with database.read() as connection:
        found = await store.list_annotations(connection, caller.project.id, first, last)
    items = [AnnotationItem(**asdict(one)) for one in found]
    return AnnotationList(project=caller.project.slug, annotations=items)


@router.post(
    "/annotations",
    summary="Say that something happened",
    status_code=201,
    responses={200: {"model": AnnotationItem, "description": "It was known already."}},
)
async def annotate(
    body: AnnotationBody, caller: TrustedSender, database: DatabaseOf, response: Response
) -> AnnotationItem:
    """Such as a deploy, from a script with a server key; charts of the dashboard show it. A repeated request changes nothing."""
    now = system_clock()
    async with database.write() as connection:
        noted, is_new = await store.annotate(
            connection, caller.project.id, body.at or now, body.label, body.url, caller.name, now
        )
    response.status_code = 201 if is_new else 200
    return AnnotationItem(**asdict(noted))


@router.delete("/annotations/{annotation_id}", summary="Remove an annotation", status_code=204)
async def remove_annotation(annotation_id: _Number, caller: EditCaller, database: DatabaseOf) -> Response:
    """It was a mistake."""
    async with database.write() as connection:
        if not await store.remove_annotation(connection, caller.project.id, annotation_id):
            raise NotFound(f"The project has no annotation {annotation_id}.")
    return Response(status_code=204)
