"""Alerts: one row from the moment a condition is found until it is over, kept as history when it fired."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from analytics_api.domain.alert import Alert, Notice
from analytics_api.domain.project import Project
from analytics_api.store.alert_rules import StoredRule


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """A row."""

    id: int
    rule_id: int
    rule_name: str
    kind: str
    alert: Alert


MOST_CURRENT = 1_000
_STEPPED = ("since", "value", "text", "started_at", "clear_since", "ended_at", "notified_at")
_ALL = f"id, rule_id, rule_name, kind, subject, acknowledged_at, {', '.join(_STEPPED)}"


def _alert(row: asyncpg.Record) -> StoredAlert:
    alert = Alert(
        subject=row["subject"],
        acknowledged_at=row["acknowledged_at"],
        **{name: row[name] for name in _STEPPED},
    )
    return StoredAlert(row["id"], row["rule_id"], row["rule_name"], row["kind"], alert)


async def open_alerts(connection: asyncpg.Connection, rule_id: int) -> dict[str, StoredAlert]:
    """Those of a rule that are not over, by subject; locked until the transaction ends."""
    rows = await connection.fetch(
        f"SELECT {_ALL} FROM alerts WHERE rule_id = $1 AND ended_at IS NULL ORDER BY id FOR UPDATE", rule_id
    )
    return {row["subject"]: _alert(row) for row in rows}


async def rules_with_alerts(connection: asyncpg.Connection) -> set[int]:
    """Numbers of the rules that have an alert which is not over."""
    rows = await connection.fetch("SELECT DISTINCT rule_id FROM alerts WHERE ended_at IS NULL")
    return {row["rule_id"] for row in rows}


async def insert_alert(connection: asyncpg.Connection, rule: StoredRule, alert: Alert) -> int:
    """Store a new one. Returns its number."""
    number = await connection.fetchval(
        f"""
        INSERT INTO alerts (project_id, rule_id, rule_name, kind, subject, {", ".join(_STEPPED)})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id
        """,
        rule.project_id,
        rule.id,
        rule.body.name,
        rule.body.kind,
        alert.subject,
        *(getattr(alert, name) for name in _STEPPED),
    )
    return int(number)


async def update_alert(connection: asyncpg.Connection, alert_id: int, alert: Alert) -> None:
    """Store what has become of one."""
    places = ", ".join(f"{name} = ${place}" for place, name in enumerate(_STEPPED, 2))
    await connection.execute(
        f"UPDATE alerts SET {places} WHERE id = $1", alert_id, *(getattr(alert, name) for name in _STEPPED)
    )


async def delete_alert(connection: asyncpg.Connection, alert_id: int) -> None:
    """Forget one that never fired."""
    await connection.execute("DELETE FROM alerts WHERE id = $1", alert_id)


async def tell(
    connection: asyncpg.Connection,
    project: Project,
    rule: StoredRule,
    alert_id: int,
    alert: Alert,
    notice: Notice,
    now: datetime,
) -> int:
    """Put a notification for each channel of the rule into the outbox. Returns how many.

    A reminder is left out where people have not even got the message before it. A channel that is being removed is waited
    for: nothing may be left behind for it.
    """
    facts: dict[str, Any] = {
        "alert_id": alert_id,
        "project": project.slug,
        "rule_id": rule.id,
        "rule": rule.body.name,
        "kind": rule.body.kind,
        "subject": alert.subject,
        "value": alert.value,
        "text": alert.text,
        "started_at": alert.started_at.isoformat() if alert.started_at else None,
        "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
    }
    status = await connection.execute(
        """
        INSERT INTO alert_notifications (channel_id, alert_id, notice, facts, created_at)
        SELECT c.id, $3, $4, $5::jsonb, $6 FROM alert_channels c
        WHERE c.project_id = $1 AND ($2::int[] IS NULL OR c.id = ANY ($2))
          AND NOT ($4 = 'reminder' AND EXISTS (
              SELECT 1 FROM alert_notifications n
              WHERE n.channel_id = c.id AND n.alert_id = $3 AND n.state = 'waiting'))
        ORDER BY c.id FOR KEY SHARE OF c
        """,
        rule.project_id,
        rule.body.channel_ids,
        alert_id,
        notice.value,
        json.dumps(facts),
        now,
    )
    return int(status.rsplit(" ", 1)[1])


async def current_alerts(connection: asyncpg.Connection, project_id: int) -> list[StoredAlert]:
    """Those of a project that are not over, those that fire first, oldest first; at most MOST_CURRENT."""
    rows = await connection.fetch(
        f"""
        SELECT {_ALL} FROM alerts WHERE project_id = $1 AND ended_at IS NULL
        ORDER BY started_at IS NULL, started_at, id LIMIT $2
        """,
        project_id,
        MOST_CURRENT,
    )
    return [_alert(row) for row in rows]


async def past_alerts(
    connection: asyncpg.Connection, project_id: int, *, before: int | None, limit: int
) -> list[StoredAlert]:
    """Those of a project that are over, the youngest first; `before` is the number of the last one seen."""
    rows = await connection.fetch(
        f"""
        SELECT {_ALL} FROM alerts
        WHERE project_id = $1 AND ended_at IS NOT NULL AND ($2::bigint IS NULL OR id < $2)
        ORDER BY id DESC LIMIT $3
        """,
        project_id,
        before,
        limit,
    )
    return [_alert(row) for row in rows]


async def acknowledge(
    connection: asyncpg.Connection, project_id: int, alert_id: int, now: datetime
) -> StoredAlert | None:
    """Note that somebody knows of an alert that fires. None when there is none that is not over."""
    row = await connection.fetchrow(
        f"""
        UPDATE alerts SET acknowledged_at = coalesce(acknowledged_at, $3)
        WHERE project_id = $1 AND id = $2 AND started_at IS NOT NULL AND ended_at IS NULL RETURNING {_ALL}
        """,
        project_id,
        alert_id,
        now,
    )
    return _alert(row) if row is not None else None


async def purge_alerts(connection: asyncpg.Connection, before: datetime) -> int:
    """Forget alerts and notifications that ended before a time, of all projects. Returns how many alerts."""
    await connection.execute("DELETE FROM alert_notifications WHERE ended_at < $1", before)
    status = await connection.execute("DELETE FROM alerts WHERE ended_at < $1", before)
    return int(status.rsplit(" ", 1)[1])
