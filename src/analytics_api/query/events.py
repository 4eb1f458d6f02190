"""Events as the API answers them."""

from __future__ import annotations

from typing import Any

import orjson

from analytics_api.query.metrics import as_utc


def event_answer(row: Any) -> dict[str, Any]:
    """One event of the log. `person_id` is the person's by all merges, null for an event of nobody."""
    return {
        "seq": row.seq,
        "event_id": str(row.event_id),
        "event_type": row.event_type,
        "person_id": str(row.person_id) if row.has_person else None,
        "user_id": row.user_id,
        "anonymous_id": row.anonymous_id,
        "session_id": row.session_id,
        "event_data": orjson.Fragment(row.event_data),
        "user_properties": None if row.user_properties is None else orjson.Fragment(row.user_properties),
        "context": orjson.Fragment(row.context),
        "revenue": None if row.revenue is None else str(row.revenue),
        "currency": row.currency,
        "occurred_at": as_utc(row.occurred_at),
        "received_at": as_utc(row.received_at),
        "is_bot": row.is_bot,
    }
