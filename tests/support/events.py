"""Events made for tests, written through the log's one way in."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from analytics_api.domain.event import NewEvent
from analytics_api.domain.identity import event_id_of, person_of
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.groups import ensure_partitions, write_group
from analytics_api.store.partitions import Partitions
from analytics_api.store.projects import ensure_project

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def make_event(
    project: Project,
    event_type: str = "page_view",
    *,
    user_id: str | None = "ada",
    anonymous_id: str | None = None,
    event_id: str | UUID | None = None,
    occurred_at: datetime = NOW,
    received_at: datetime | None = None,
    event_data: dict[str, Any] | None = None,
    user_properties: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    revenue: str | None = None,
    currency: str | None = None,
    is_bot: bool = False,
    trusted: bool = True,
) -> NewEvent:
    """An event as the pipeline would make it."""
    given = str(event_id) if event_id is not None else f"test-{next(_numbers)}"
    identity = event_id_of(project.namespace, given)
    person, has_person = person_of(project.namespace, user_id, anonymous_id, identity)
    return NewEvent(
        project_id=project.id,
        event_id=identity,
        keyed=True,
        person_id=person,
        has_person=has_person,
        user_id=user_id,
        anonymous_id=anonymous_id,
        session_id=None,
        event_type=event_type,
        event_data=json.dumps(event_data or {}),
        user_properties=None if user_properties is None else json.dumps(user_properties),
        context=json.dumps(context or {}),
        revenue=None if revenue is None else Decimal(revenue),
        currency=None if revenue is None else (currency or project.currency),
        occurred_at=occurred_at,
        received_at=received_at or occurred_at,
        is_bot=is_bot,
        trusted=trusted,
        size=500,
    )


async def write_events(database: Database, events: Sequence[NewEvent]) -> list[bool]:
    """Store events; True for each that was new."""
    partitions = Partitions()
    async with database.acquire() as connection:
        await partitions.load(connection)
        await ensure_partitions(connection, partitions, events)
        return [*map(bool, await write_group(connection, partitions, events))]


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """The database, for the time of a test."""
    database = Database(url, pool_size=8)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def make_project(database: Database, slug: str = "default", *, time_zone: str = "UTC") -> Project:
    """A project, made if it is not there."""
    async with database.write() as connection:
        return await ensure_project(connection, slug, time_zone=time_zone, now=NOW)
