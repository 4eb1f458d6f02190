"""What is held of a person or of chosen events, read for an export: table by table, some thousand rows at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from analytics_api.domain.project import Project
from analytics_api.store.erasure import Scope

ROWS = 2_000

_EVENTS = """
    SELECT seq, event_id, event_type, occurred_at, received_at, user_id, anonymous_id, session_id, event_data::text,
        user_properties::text, context::text, revenue, currency, is_bot
    FROM events WHERE {where} ORDER BY seq
"""

_TABLES = {
    "profile": """
        SELECT user_id, anonymous_id, first_seen_at, last_seen_at, first_signup_at, first_payment_at, first_touch::text,
            properties::text FROM persons
    """,
    "first_times": "SELECT event_type, first_at_with_bots AS first_at FROM person_firsts",
    "sessions": "SELECT device, started_at, ended_at, events, page_views FROM sessions",
    "payments": "SELECT kind, payment_id, occurred_at, amount, currency FROM payments",
    "subscriptions": "SELECT subscription_id, kind, occurred_at, effective_at, mrr, currency FROM subscription_changes",
    "quarantine": """
        SELECT event_id, event_type, occurred_at, user_id, anonymous_id, event_data::text, context::text
        FROM quarantined_events
    """,
    "consent": "SELECT changed_at, consent::text, source FROM consent_changes",
}
JSON_COLUMNS = frozenset({"event_data", "user_properties", "context", "first_touch", "properties", "consent"})


async def exported(
    connection: asyncpg.Connection, project: Project, scope: Scope
) -> AsyncIterator[tuple[str, list[asyncpg.Record]]]:
    """Rows with the name of what they are, in the caller's transaction (one snapshot). Tables follow each other."""
    values: list[object] = []
    where = scope.where(project, 0, values)
    async for rows in _read(connection, _EVENTS.format(where=where), values):
        yield "events", rows
    if scope.choice is not None:
        return
    for name, sql in _TABLES.items():
        async for rows in _read(
            connection, f"{sql} WHERE person_id = ANY ($1::uuid[])", [list(scope.persons)]
        ):
            yield name, rows


async def _read(
    connection: asyncpg.Connection, sql: str, values: list[object]
) -> AsyncIterator[list[asyncpg.Record]]:
    cursor = await connection.cursor(sql, *values)
    while rows := await cursor.fetch(ROWS):
        yield rows
