"""Projects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.project import Project
from analytics_api.domain.zones import zone_names
from analytics_api.errors import Conflict, NotFound, Unprocessable
from analytics_api.store.tables.access import projects

DEFAULT = "default"
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _project(row: Row[object]) -> Project:
    return Project(
        row.id,
        row.slug,
        row.name,
        row.namespace,
        ZoneInfo(row.time_zone),
        row.currency,
        row.week_start,
        frozenset(row.allowed_origins),
        None if row.visitor_days_first is None else (row.visitor_days_first, row.visitor_days_last),
    )


async def find_project(connection: AsyncConnection, slug: str) -> Project | None:
    """The project of that name. Text that can be no name is asked nobody about."""
    if not _SLUG.fullmatch(slug):
        return None
    row = (await connection.execute(select(projects).where(projects.c.slug == slug))).one_or_none()
    return _project(row) if row is not None else None


async def get_project(connection: AsyncConnection, slug: str) -> Project:
    """The project of that name. Raises NotFound."""
    found = await find_project(connection, slug)
    if found is None:
        raise NotFound(f"There is no project {slug!r}.")
    return found


async def list_projects(connection: AsyncConnection) -> list[Project]:
    """All projects, oldest first."""
    rows = await connection.execute(select(projects).order_by(projects.c.id))
    return [_project(row) for row in rows]


async def set_allowed_origins(connection: AsyncConnection, project_id: int, origins: Sequence[str]) -> None:
    """Say whose pages may send events to a project, and read from it with a key."""
    await connection.execute(
        update(projects).where(projects.c.id == project_id).values(allowed_origins=list(origins))
    )


async def create_project(
    connection: AsyncConnection,
    slug: str,
    *,
    name: str | None = None,
    time_zone: str = "UTC",
    currency: str = "USD",
    week_start: int = 1,
    now: datetime,
) -> Project:
    """Make a project. Raises Conflict when the name is taken and Unprocessable when it is none."""
    if not _SLUG.fullmatch(slug):
        raise Unprocessable(
            f"project {slug!r}: use up to 63 lower-case letters, digits, '-' and '_', starting with a letter or digit."
        )
    if time_zone not in zone_names():
        raise Unprocessable(f"time_zone {time_zone!r} is no IANA time zone such as Europe/Berlin.")
    values = {
        "slug": slug,
        "name": name or slug,
        "namespace": uuid4(),
        "time_zone": time_zone,
        "currency": currency,
        "week_start": week_start,
        "created_at": now,
    }
    try:
        async with connection.begin_nested():
            row = (await connection.execute(insert(projects).values(values).returning(projects))).one()
    except IntegrityError:
        raise Conflict(f"There is a project {slug!r} already.") from None
    return _project(row)


async def ensure_project(
    connection: AsyncConnection, slug: str, *, time_zone: str = "UTC", currency: str = "USD", now: datetime
) -> Project:
    """The project of that name, made now if there is none. Several processes may do so at once."""
    found = await find_project(connection, slug)
    if found is not None:
        return found
    try:
        return await create_project(connection, slug, time_zone=time_zone, currency=currency, now=now)
    except Conflict:
        return await get_project(connection, slug)
