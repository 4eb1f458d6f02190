"""Views of the dashboard that a project has saved, and what happened on a day: rows in, rows out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.errors import Unprocessable
from analytics_api.store.tables.access import chart_notes, saved_views

MOST_VIEWS = 200
"""Of one project."""
MOST_ANNOTATIONS = 500
"""In one answer."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A page with its question, under a name."""

    id: int
    name: str
    view: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something that happened, such as a deploy."""

    id: int
    at: datetime
    label: str
    url: str | None
    created_by: str
    created_at: datetime


_VIEW = [saved_views.c[name] for name in SavedView.__slots__]
_ANNOTATION = [chart_notes.c[name] for name in Annotation.__slots__]


async def list_views(connection: AsyncConnection, project_id: int) -> list[SavedView]:
    """Those of a project by name."""
    rows = await connection.execute(
        select(*_VIEW).where(saved_views.c.project_id == project_id).order_by(saved_views.c.name)
    )
    return [SavedView(*row) for row in rows]


async def save_view(
    connection: AsyncConnection, project_id: int, name: str, view: str, created_by: str, now: datetime
) -> SavedView:
    """Save one, in place of that of the same name. Raises Unprocessable when there are too many."""
    await connection.execute(
        text("SELECT 1 FROM projects WHERE id = :project FOR NO KEY UPDATE"), {"project": project_id}
    )
    found = {each.name for each in await list_views(connection, project_id)}
    if name not in found and len(found) >= MOST_VIEWS:
        raise Unprocessable(f"There are {MOST_VIEWS} saved views already: remove one first.")
    given = upsert(saved_views).values(
        project_id=project_id, name=name, view=view, created_by=created_by, created_at=now
    )
    row = await connection.execute(
        given.on_conflict_do_update(
            index_elements=["project_id", "name"],
            set_={"view": given.excluded.view, "created_by": created_by, "created_at": now},
        ).returning(*_VIEW)
    )
    return SavedView(*row.one())


async def remove_view(connection: AsyncConnection, project_id: int, view_id: int) -> bool:
    """False when there is none of that number."""
    gone = await connection.execute(
        delete(saved_views)
        .where(saved_views.c.id == view_id, saved_views.c.project_id == project_id)
        .returning(saved_views.c.id)
    )
    return gone.one_or_none() is not None


async def list_annotations(
    connection: AsyncConnection, project_id: int, since: datetime, until: datetime
) -> list[Annotation]:
    """What happened from `since` to before `until`, the latest MOST_ANNOTATIONS, the earliest first."""
    rows = await connection.execute(
        select(*_ANNOTATION)
        .where(chart_notes.c.project_id == project_id, chart_notes.c.at >= since, chart_notes.c.at < until)
        .order_by(chart_notes.c.at.desc(), chart_notes.c.id.desc())
        .limit(MOST_ANNOTATIONS)
    )
    return [Annotation(*row) for row in rows][::-1]


async def annotate(
    connection: AsyncConnection,
    project_id: int,
    at: datetime,
    label: str,
    url: str | None,
    created_by: str,
    now: datetime,
) -> tuple[Annotation, bool]:
    """Note something. The same label at the same instant is the same note, which a repeated request finds again: False."""
    values = {
        "project_id": project_id, "at": at, "label": label, "url": url, "created_by": created_by, "created_at": now,
    }  # fmt: skip
    made = (
        await connection.execute(
            upsert(chart_notes).values(**values).on_conflict_do_nothing().returning(*_ANNOTATION)
        )
    ).one_or_none()
    if made is not None:
        return Annotation(*made), True
    known = await connection.execute(
        select(*_ANNOTATION).where(
            chart_notes.c.project_id == project_id, chart_notes.c.at == at, chart_notes.c.label == label
        )
    )
    return Annotation(*known.one()), False


async def remove_annotation(connection: AsyncConnection, project_id: int, annotation_id: int) -> bool:
    """False when there is none of that number."""
    gone = await connection.execute(
        delete(chart_notes)
        .where(chart_notes.c.id == annotation_id, chart_notes.c.project_id == project_id)
        .returning(chart_notes.c.id)
    )
    return gone.one_or_none() is not None
