"""Alert rules: what is watched in a project, when people are told and over which channels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from analytics_api.domain.alert import Timing
from analytics_api.errors import Conflict


@dataclass(frozen=True, slots=True)
class RuleBody:
    """What somebody decides about a rule."""

    name: str
    kind: str
    parameters: dict[str, Any]
    hold_seconds: int = 0
    clear_seconds: int = 120
    remind_hours: int | None = 24
    channel_ids: list[int] | None = None
    """None: all channels of the project, those of later included."""
    enabled: bool = True

    @property
    def timing(self) -> Timing:
        """When it tells people."""
        return Timing(
            hold=timedelta(seconds=self.hold_seconds),
            clear=timedelta(seconds=self.clear_seconds),
            remind=None if self.remind_hours is None else timedelta(hours=self.remind_hours),
        )


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A row."""

    id: int
    project_id: int
    body: RuleBody
    created_at: datetime
    updated_at: datetime
    evaluated_at: datetime | None
    last_error: str | None
    """Why it could not be evaluated the last time."""


_BODY = (
    "name",
    "kind",
    "parameters",
    "hold_seconds",
    "clear_seconds",
    "remind_hours",
    "channel_ids",
    "enabled",
)
_ALL = ", ".join(("id", "project_id", *_BODY, "created_at", "updated_at", "evaluated_at", "last_error"))


def _rule(row: asyncpg.Record) -> StoredRule:
    body = RuleBody(**{**{name: row[name] for name in _BODY}, "parameters": json.loads(row["parameters"])})
    return StoredRule(
        row["id"],
        row["project_id"],
        body,
        row["created_at"],
        row["updated_at"],
        row["evaluated_at"],
        row["last_error"],
    )


async def list_rules(connection: asyncpg.Connection, project_id: int) -> list[StoredRule]:
    """All of a project, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_ALL} FROM alert_rules WHERE project_id = $1 ORDER BY id", project_id
    )
    return [_rule(row) for row in rows]


async def enabled_rules(connection: asyncpg.Connection) -> list[StoredRule]:
    """Those of all projects that are switched on, project by project."""
    rows = await connection.fetch(f"SELECT {_ALL} FROM alert_rules WHERE enabled ORDER BY project_id, id")
    return [_rule(row) for row in rows]


async def find_rule(
    connection: asyncpg.Connection, project_id: int, rule_id: int, *, lock: bool = False
) -> StoredRule | None:
    """One by its number; `lock` keeps others from evaluating or changing it until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_ALL} FROM alert_rules WHERE project_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}",
        project_id,
        rule_id,
    )
    return _rule(row) if row is not None else None


async def insert_rule(
    connection: asyncpg.Connection, project_id: int, body: RuleBody, now: datetime
) -> StoredRule:
    """Add a rule. Raises Conflict when the name is taken."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO alert_rules (project_id, {", ".join(_BODY)}, created_at, updated_at)
        VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10, $10)
        ON CONFLICT (project_id, name) DO NOTHING RETURNING {_ALL}
        """,
        project_id,
        *_values(body),
        now,
    )
    if row is None:
        raise _taken(body.name)
    return _rule(row)


async def update_rule(
    connection: asyncpg.Connection, rule_id: int, body: RuleBody, now: datetime
) -> StoredRule:
    """Replace what somebody decided about a rule that is there. Raises Conflict when the name is another's."""
    places = ", ".join(f"{name} = ${place}" for place, name in enumerate(_BODY, 2))
    try:
        async with connection.transaction():
            row = await connection.fetchrow(
                f"UPDATE alert_rules SET {places}, updated_at = $10, last_error = NULL WHERE id = $1 RETURNING {_ALL}",
                rule_id,
                *_values(body),
                now,
            )
    except asyncpg.UniqueViolationError:
        raise _taken(body.name) from None
    if row is None:
        raise RuntimeError(f"alert rule {rule_id} is gone while it was locked")
    return _rule(row)


def _values(body: RuleBody) -> list[object]:
    values = {name: getattr(body, name) for name in _BODY}
    return list({**values, "parameters": json.dumps(body.parameters)}.values())


def _taken(name: str) -> Conflict:
    return Conflict(f"name: this project has a rule {name!r} already; choose another name.")


async def delete_rule(connection: asyncpg.Connection, rule_id: int) -> None:
    """Remove a rule. Its alerts stay as history."""
    await connection.execute("DELETE FROM alert_rules WHERE id = $1", rule_id)


async def touch_rules(connection: asyncpg.Connection, rule_ids: Sequence[int], now: datetime) -> None:
    """Note that rules were evaluated, without an error."""
    await connection.execute(
        """
        UPDATE alert_rules SET evaluated_at = $2, last_error = NULL
        WHERE id = ANY ($1) AND (evaluated_at IS NULL OR evaluated_at < $2)
        """,
        rule_ids,
        now,
    )


async def note_rule_error(connection: asyncpg.Connection, rule_id: int, error: str) -> None:
    """Note why a rule could not be evaluated."""
    await connection.execute("UPDATE alert_rules SET last_error = $2 WHERE id = $1", rule_id, error[:2000])


async def add_defaults(
    connection: asyncpg.Connection, defaults: Mapping[str, RuleBody], now: datetime
) -> int:
    """Give every project the default rules that it has never had. Returns how many were added.

    One that somebody removed does not come back, and one whose name somebody uses is left out.
    """
    async with connection.transaction():
        rows = await connection.fetch(
            """
            INSERT INTO alert_defaults (project_id, name)
            SELECT p.id, d.name FROM projects p CROSS JOIN unnest($1::text[]) AS d (name)
            WHERE NOT EXISTS (SELECT 1 FROM alert_defaults a WHERE a.project_id = p.id AND a.name = d.name)
            ORDER BY p.id, d.name
            ON CONFLICT DO NOTHING RETURNING project_id, name
            """,
            list(defaults),
        )
        added = 0
        for row in rows:
            try:
                await insert_rule(connection, row["project_id"], defaults[row["name"]], now)
                added += 1
            except Conflict:
                continue
    return added
