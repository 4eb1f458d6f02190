"""The persons behind a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.store.metrics.figure import fetch


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
