"""The rules of destinations, as JSON, beside the destinations: those that the settings name may have some, too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from analytics_api.store.deliveries import Key

Stamp = tuple[int, datetime]
"""Version and time of a change: another after every one, also of a destination that was removed and added again."""


@dataclass(frozen=True, slots=True)
class StoredRules:
    """A row."""

    rules: str
    """JSON text."""
    version: int
    """Counts changes from 1."""
    changed_at: datetime

    @property
    def stamp(self) -> Stamp:
        """Tells changes."""
        return self.version, self.changed_at


async def rule_stamps(connection: asyncpg.Connection) -> dict[Key, Stamp]:
    """The stamp of all rules: cheap enough to ask for every second."""
    rows = await connection.fetch(
        "SELECT project_id, destination, version, changed_at FROM destination_rules"
    )
    return {(row["project_id"], row["destination"]): (row["version"], row["changed_at"]) for row in rows}


async def stored_rules(
    connection: asyncpg.Connection, project_id: int | None = None
) -> dict[Key, StoredRules]:
    """The rules of a project's destinations, or of all."""
    rows = await connection.fetch(
        """
        SELECT project_id, destination, rules, version, changed_at FROM destination_rules
        WHERE $1::int IS NULL OR project_id = $1
        """,
        project_id,
    )
    return {
        (row["project_id"], row["destination"]): StoredRules(row["rules"], row["version"], row["changed_at"])
        for row in rows
    }


async def put_rules(
    connection: asyncpg.Connection, project_id: int, destination: str, rules: str, now: datetime
) -> int:
    """Put rules (JSON text) in the place of those that are there. Returns the new version."""
    version: int = await connection.fetchval(
        """
        INSERT INTO destination_rules AS held (project_id, destination, rules, version, changed_at)
        VALUES ($1, $2, $3::jsonb, 1, $4)
        ON CONFLICT (project_id, destination) DO UPDATE SET
            rules = excluded.rules, version = held.version + 1, changed_at = excluded.changed_at
        RETURNING version
        """,
        project_id,
        destination,
        rules,
        now,
    )
    return version
