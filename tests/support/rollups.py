"""Rollups held against their recount."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.support.rollup_recount import Recount

PERSON_COLUMNS = [
    "first_seen_at", "last_seen_at", "first_day", "first_day_with_bots", "last_active_day",
    "last_active_day_with_bots", "first_signup_at", "first_signup_day", "first_payment_at", "user_id",
    "anonymous_id", "first_touch_at",
]  # fmt: skip
SESSION_COLUMNS = [
    "person_id", "device", "started_at", "ended_at", "day", "events", "page_views", "is_bot",
]  # fmt: skip
JSON_COLUMNS = ["first_touch", "properties", "property_times"]


async def compare(
    database: Database,
    project: Project,
    events: Sequence[NewEvent],
    who: Mapping[UUID, UUID] | None = None,
) -> None:
    """All rollups of a project equal the recount of its events, given in the order of the log."""
    expected = Recount(project, events, who)
    fetch = database.pool.fetch
    rows = await fetch("SELECT * FROM event_days WHERE project_id = $1", project.id)
    assert {(r["day"], r["event_type"], r["is_bot"]): r["events"] for r in rows} == dict(expected.event_days)

    rows = await fetch("SELECT * FROM person_days WHERE project_id = $1", project.id)
    assert {
        (r["person_id"], r["day"]): [r["active"], r["active_with_bots"], r["events"]] for r in rows
    } == expected.person_days

    rows = await fetch("SELECT * FROM person_firsts WHERE project_id = $1", project.id)
    assert {
        (r["person_id"], r["event_type"]): [r["first_at"], r["first_at_with_bots"]] for r in rows
    } == expected.firsts

    rows = await fetch("SELECT * FROM persons WHERE project_id = $1", project.id)
    assert {r["person_id"]: _facts(r) for r in rows} == {
        person: {name: facts.get(name) for name in PERSON_COLUMNS}
        | {name: facts.get(name, None if name == "first_touch" else {}) for name in JSON_COLUMNS}
        for person, facts in expected.people.items()
    }

    rows = await fetch("SELECT * FROM last_active_days WHERE project_id = $1", project.id)
    assert {r["day"]: r["persons"] for r in rows if r["persons"]} == expected.histogram("last_active_day")
    assert {r["day"]: r["persons_with_bots"] for r in rows if r["persons_with_bots"]} == expected.histogram(
        "last_active_day_with_bots"
    )

    rows = await fetch(
        "SELECT * FROM sessions WHERE project_id = $1 ORDER BY person_id, device, started_at", project.id
    )
    assert [tuple(r[name] for name in SESSION_COLUMNS) for r in rows] == expected.sessions(project)

    rows = await fetch("SELECT * FROM payments WHERE project_id = $1", project.id)
    assert {(r["kind"], r["entry_id"]): (r["occurred_at"], r["amount"]) for r in rows} == {
        key: (event.occurred_at, _amount(key[0], event)) for key, event in expected.payments.items()
    }


def _facts(row: asyncpg.Record) -> dict[str, Any]:
    found = {name: row[name] for name in PERSON_COLUMNS}
    return found | {name: None if row[name] is None else json.loads(row[name]) for name in JSON_COLUMNS}


def _amount(kind: str, event: NewEvent) -> Decimal | None:
    if kind == "payment":
        return event.revenue
    amount = json.loads(event.event_data).get("amount")
    return None if amount is None else Decimal(str(amount))
