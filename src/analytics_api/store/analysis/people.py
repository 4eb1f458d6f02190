"""The persons behind a number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.analysis.columns import Rows, copy_rows
from analytics_api.store.analysis.scope import Scope
from analytics_api.store.filter_sql import Binds
from analytics_api.store.metrics.subscriptions import customers_sql
from analytics_api.store.statements import fetch


async def described(connection: AsyncConnection, persons: Sequence[UUID]) -> list[Any]:
    """What is known of some persons, in the order of their ids. Who has been erased meanwhile is not there."""
    return await fetch(
        connection,
        """
        SELECT person_id, user_id, anonymous_id, first_seen_at, last_seen_at, properties FROM persons
        WHERE person_id = ANY (CAST(:persons AS uuid[])) ORDER BY person_id
        """,
        {"persons": list(persons)},
    )


async def everybody(scope: Scope) -> Rows:
    """All persons of a scope's groups."""
    binds = Binds()
    conditions = [people.sql(scope, "p.person_id", binds) for people in scope.people]
    if not scope.include_bots:
        conditions.append("p.first_day IS NOT NULL")
    where = "".join(f" AND ({condition})" for condition in conditions)
    return await copy_rows(
        scope.connection,
        f"SELECT p.person_id FROM persons p WHERE p.project_id = {int(scope.project.id)}{where}",
        [],
        binds.parameters,
    )


async def customers(scope: Scope, part: str, first: date, last: date) -> Rows:
    """Who is behind MRR at the end of some days (`paying`), or behind one of its movements in them."""
    binds = Binds()
    conditions = [people.sql(scope, "c.person_id", binds) for people in scope.people]
    where = " AND ".join(f"({condition})" for condition in conditions) or "true"
    return await copy_rows(
        scope.connection,
        f"SELECT c.person_id FROM ({customers_sql(part)}) AS c (person_id) WHERE {where}",
        [],
        {
            **binds.parameters,
            "project": scope.project.id,
            "currency": scope.project.currency,
            "zone": scope.zone.key,
            "now": scope.as_of,
            "first": first,
            "last": last,
        },
    )
