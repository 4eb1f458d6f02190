"""The OpenAPI document of POST /events, written by hand because the route is not FastAPI's. A test calls what it says."""

from __future__ import annotations

from typing import Any

from analytics_api.domain.event import EventType
from analytics_api.ingest.steps.text import LONGEST_ID, LONGEST_TYPE

_ID = {"anyOf": [{"type": "string", "maxLength": LONGEST_ID}, {"type": "integer"}, {"type": "null"}]}
_OBJECT = {"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]}

EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Event",
    "required": ["event_type"],
    "properties": {
        "event_type": {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_TYPE,
            "description": "What happened. Known types: "
            + ", ".join(f"`{kind}`" for kind in EventType)
            + ". Any other name is a custom event.",
        },
        "event_data": {**_OBJECT, "description": "Properties of the event."},
        "user_properties": {
            **_OBJECT,
            "description": "Properties of the person: plain keys are set; or `$set`, `$set_once`, `$add`, `$append`, `$unset`.",
        },
        "user_id": {**_ID, "description": "Your id of a known person."},
        "anonymous_id": {**_ID, "description": "Id of a device or browser."},
        "session_id": _ID,
        "event_id": {
            "anyOf": [{"type": "string", "maxLength": LONGEST_ID}, {"type": "null"}],
            "description": "Your id of this event, best a UUID. The same id sent again is a duplicate and counted once.",
        },
        "timestamp": {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}],
            "description": "When it happened: ISO 8601 (UTC without a zone) or epoch milliseconds. Default: now.",
        },
        "context": {**_OBJECT, "description": "Circumstances: page {url, path, title, referrer} and more."},
        "revenue": {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}, {"type": "null"}],
            "description": "Captured payment in major units. Needs a server key.",
        },
        "currency": {"anyOf": [{"type": "string", "pattern": "^[A-Za-z]{3}$"}, {"type": "null"}]},
    },
}

_EXAMPLE = {
    "event_type": "feature_used",
    "event_data": {"feature_name": "image_generator", "action": "click"},
    "user_properties": {"subscription_level": "pro"},
}

_RESULT = {
    "type": "object",
    "required": ["index", "status"],
    "properties": {
        "index": {"type": "integer"},
        "event_id": {"type": "string", "format": "uuid"},
        "status": {"type": "string", "enum": ["accepted", "duplicate", "rejected", "ignored", "quarantined"]},
        "reason": {"type": "string"},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
}

_ACCEPTED = {
    "type": "object",
    "required": ["accepted", "duplicates", "rejected", "ignored", "quarantined", "results"],
    "properties": {
        "accepted": {"type": "integer"},
        "duplicates": {"type": "integer"},
        "rejected": {"type": "integer"},
        "ignored": {"type": "integer"},
        "quarantined": {"type": "integer", "description": "Kept aside because they break the tracking plan."},
        "results": {"type": "array", "items": _RESULT},
    },
    "example": {
        "accepted": 1,
        "duplicates": 0,
        "rejected": 0,
        "ignored": 0,
        "quarantined": 0,
        "results": [{"index": 0, "event_id": "0190b5c2-6f5e-7cc3-98c4-dc0c0c07398f", "status": "accepted"}],
    },
}


def operation() -> dict[str, Any]:
    """The operation object of POST /events."""
    envelope = {
        "type": "object",
        "required": ["events"],
        "properties": {
            "events": {"type": "array", "items": EVENT_SCHEMA},
            "sent_at": {
                "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}],
                "description": "When the client sent this, by its own clock; corrects the times of the events.",
            },
            "key": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "API key, for beacons."},
        },
    }
    body = {"oneOf": [EVENT_SCHEMA, {"type": "array", "items": EVENT_SCHEMA}, envelope]}
    return {
        "tags": ["intake"],
        "summary": "Send events",
        "operationId": "receive_events",
        "description": "One event, an array, or an envelope; JSON, NDJSON or a text/plain beacon, gzip or not. "
        "The answer comes after the events are stored. In an array or envelope, good events are kept and bad ones named.",
        "parameters": [
            {
                "name": "project",
                "in": "query",
                "required": False,
                "schema": {"type": "string"},
                "description": "Project by its slug; default: the key's own.",
            },
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                "description": "Makes a resend of the same request harmless when the events carry no ids.",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": body, "example": _EXAMPLE},
                "application/x-ndjson": {"schema": {"type": "string"}},
                "text/plain": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "202": {
                "description": "What became of each event. Accepted ones are stored.",
                "content": {"application/json": {"schema": _ACCEPTED}},
            },
        },
        "security": [{"bearer": []}, {"header": []}, {}],
    }
