"""Events of the log in pages, for people who look at them, listen to them or take them away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.filters import EVERY_EVENT, AllOf, asks_person
from analytics_api.store.filter_sql import Binds, filter_sql
from analytics_api.store.statements import fetch

_COLUMNS = """
    e.seq, e.event_id, coalesce(m.canonical_id, e.person_id) AS person_id, e.has_person, e.user_id, e.anonymous_id,
    e.session_id, e.event_type, CAST(e.event_data AS text) AS event_data,
    CAST(e.user_properties AS text) AS user_properties, CAST(e.context AS text) AS context, e.revenue, e.currency,
    e.occurred_at, e.received_at, e.is_bot
"""


@dataclass(frozen=True, slots=True)
class EventChoice:
    """Which events of a project. Times are those of the events, `until` is excluded."""

    project_id: int
    types: tuple[str, ...] = ()
    """All when there are none."""
    filters: AllOf = EVERY_EVENT
    since: datetime | None = None
    until: datetime | None = None
    persons: Sequence[UUID] | None = None
    """Only theirs, by the ids that events carry."""
    include_bots: bool = True
    live: bool = False
    """Whether history is left out: what arrived more than a day after it happened."""


async def newest(
    connection: AsyncConnection, choice: EventChoice, limit: int, *, before: int | None = None
) -> list[Any]:
    """At most `limit` events, the last that arrived first; `before`: only those of lower sequence numbers."""
    return await _events(
        connection, choice, "e.seq < :before", "e.seq DESC", limit, before=before or 2**63 - 1
    )


async def latest(connection: AsyncConnection, choice: EventChoice, limit: int) -> list[Any]:
    """At most `limit` events, the last that happened first, whenever they arrived."""
    return await _events(connection, choice, "true", "e.occurred_at DESC, e.seq DESC", limit)


async def following(
    connection: AsyncConnection, choice: EventChoice, limit: int, *, after: int, upto: int
) -> list[Any]:
    """At most `limit` events with sequence numbers in (after, upto], in the order of the log."""
    return await _events(
        connection, choice, "e.seq > :after AND e.seq <= :upto", "e.seq", limit, after=after, upto=upto
    )


async def _events(
    connection: AsyncConnection, choice: EventChoice, reach: str, order: str, limit: int, **more: Any
) -> list[Any]:
    binds = Binds()
    parts = ["e.project_id = :project", reach, filter_sql(choice.filters, binds)]
    if choice.types:
        parts.append(f"e.event_type = ANY ({binds.bind(list(choice.types), 'text[]')})")
    if choice.since is not None:
        parts.append(f"e.occurred_at >= {binds.bind(choice.since, 'timestamptz')}")
    if choice.until is not None:
        parts.append(f"e.occurred_at < {binds.bind(choice.until, 'timestamptz')}")
    if choice.persons is not None:
        parts.append(f"e.person_id = ANY ({binds.bind(list(choice.persons), 'uuid[]')})")
    if not choice.include_bots:
        parts.append("NOT e.is_bot")
    if choice.live:
        parts.append("e.occurred_at >= e.received_at - interval '1 day'")
    person = "LEFT JOIN persons p ON p.person_id = coalesce(m.canonical_id, e.person_id)"
    sql = f"""
        SELECT {_COLUMNS}
        FROM events e LEFT JOIN person_merges m ON m.person_id = e.person_id
        {person if asks_person(choice.filters) else ""}
        WHERE {" AND ".join(f"({part})" for part in parts)}
        ORDER BY {order} LIMIT :limit
    """
    return await fetch(
        connection, sql, {"project": choice.project_id, "limit": limit, **more, **binds.parameters}
    )
