"""A plan as one document, that can be kept in git: checked, stored and read back; and one made of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg

from analytics_api.domain.event import EventType
from analytics_api.domain.plan import PlanMode, PlannedType, UnknownTypes
from analytics_api.errors import Unprocessable
from analytics_api.ingest.plan.schema import EventSchema, schema_text
from analytics_api.ingest.steps.text import LONGEST_TYPE
from analytics_api.store.plans import StoredPlan, put_type, save_plan

LONGEST_DESCRIPTION = 1_000

Types = Mapping[str, PlannedType]

_NUMBERS = ("amount", "duration_ms", "duration_seconds", "prompt_length", "referrals", "seconds_since_signup")
_CATALOGUE_SCHEMAS: dict[str, dict[str, Any]] = {
    **{name: {"type": "number", "minimum": 0} for name in _NUMBERS},
    # Money is also taken as a decimal number in a text, which loses no digits.
    "amount": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?$"}]},
    "currency": {"type": "string", "pattern": "^[A-Za-z]{3}$"},
    "fields": {"type": "array", "items": {"type": "string"}},
    "milestone": {"type": ["string", "number"]},
    "value": {},
}
"""What is known of properties of the catalogue; the others are texts."""


def check_type(event_type: str, planned: PlannedType) -> tuple[str, str]:
    """Text of the schema, and description, to be stored. Raises Unprocessable naming the place that is wrong."""
    if not event_type or event_type.isspace() or not event_type.isprintable() or event_type[0] == "$":
        raise Unprocessable("event_type: use a name without control characters that does not start with $.")
    if len(event_type) > LONGEST_TYPE:
        raise Unprocessable(f"event_type: it is longer than {LONGEST_TYPE} characters.")
    description = planned.description
    if len(description) > LONGEST_DESCRIPTION or not description.replace("\n", " ").isprintable():
        raise Unprocessable(
            f"description: use up to {LONGEST_DESCRIPTION} characters, none of them a control character."
        )
    text = schema_text(planned.schema)
    EventSchema(planned.schema)
    return text, description


async def store_type(
    connection: asyncpg.Connection, project_id: int, event_type: str, planned: PlannedType, now: datetime
) -> None:
    """Register an event type. Raises Unprocessable."""
    schema, description = check_type(event_type, planned)
    await put_type(connection, project_id, event_type, schema, description, now)


async def store_plan(
    connection: asyncpg.Connection,
    project_id: int,
    mode: PlanMode,
    unknown_types: UnknownTypes,
    types: Types | None,
    now: datetime,
) -> None:
    """Set a plan; its event types, unless None, replace all that are there. Raises Unprocessable, then nothing changes."""
    checked = None
    if types is not None:
        checked = {}
        for name, planned in types.items():
            try:
                checked[name] = check_type(name, planned)
            except Unprocessable as error:
                raise Unprocessable(f"event_types.{name[:LONGEST_TYPE]!r}: {error.detail}") from None
    await save_plan(connection, project_id, mode, unknown_types, checked, now)


def plan_document(plan: StoredPlan) -> dict[str, Any]:
    """The plan in the form that PUT and `plan import` take."""
    return {
        "mode": plan.mode.value,
        "unknown_types": plan.unknown_types.value,
        "event_types": {
            name: {"description": planned.description, "schema": json.loads(planned.schema)}
            for name, planned in plan.types.items()
        },
    }


def catalogue() -> dict[str, PlannedType]:
    """The event types that the product knows by name, with the properties that are expected of them; none is required."""
    return {
        kind.value: PlannedType(
            {
                "type": "object",
                "properties": {
                    name: _CATALOGUE_SCHEMAS.get(name, {"type": ["string", "null"]})
                    for name in kind.properties
                },
            },
            kind.description,
        )
        for kind in EventType
        if not kind.startswith("$") and kind is not EventType.API_REQUEST
    }
