"""What a schema would say of events that are stored already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from analytics_api.ingest.plan.schema import EventSchema, schema_text
from analytics_api.store.engine import Database
from analytics_api.store.plans import newest_data

ROWS_AT_ONCE = 500
"""Checked before other requests have their turn; they take about 5 ms."""
MOST_PATHS = 50


@dataclass(slots=True)
class BrokenField:
    """A field that is not as the schema says. Reason and id are those of the newest event."""

    events: int
    reason: str
    event_id: UUID


@dataclass(slots=True)
class DryRun:
    """How many events were looked at, how many break the schema, and where."""

    checked: int = 0
    broken: int = 0
    paths: dict[str, BrokenField] = field(default_factory=dict)


async def dry_run(
    database: Database, project_id: int, event_type: str, schema: dict[str, Any], limit: int
) -> DryRun:
    """Check the newest `limit` events of a type. Raises Unprocessable when the schema is wrong."""
    schema_text(schema)
    compiled = EventSchema(schema)
    report = DryRun()
    async with database.read() as connection:
        async for rows in newest_data(connection, project_id, event_type, limit, rows=ROWS_AT_ONCE):
            for event_id, data in rows:
                _check(report, compiled, event_id, data)
    report.paths = dict(sorted(report.paths.items(), key=lambda item: -item[1].events))
    return report


def _check(report: DryRun, schema: EventSchema, event_id: UUID, data: str) -> None:
    report.checked += 1
    findings = schema.findings(orjson.loads(data))
    if not findings:
        return
    report.broken += 1
    for path, reason in {one.path: one.reason for one in findings}.items():
        if path in report.paths:
            report.paths[path].events += 1
        elif len(report.paths) < MOST_PATHS:
            report.paths[path] = BrokenField(1, reason, event_id)
