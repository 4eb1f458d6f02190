"""Names and values: lengths, characters and depth that the database and the providers can hold."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import orjson

from analytics_api.domain.event import SYSTEM_TYPES
from analytics_api.ingest.draft import Draft, Reception, Rejected

LONGEST_TYPE = 200
LONGEST_ID = 512
DEEPEST = 32
"""Amplitude takes 40 levels and Mixpanel 3; deeper data is a mistake and costs stack everywhere."""
LARGEST_NUMBER = sys.float_info.max
"""Beyond it parsers fail or read infinity. Fractions are refused by the decoder; integers it takes up to 4,300 digits."""

_NESTED = (dict, list)
_BACKSLASH = ord("\\")


def check_type(draft: Draft, _reception: Reception) -> None:
    """A name of 1 to 200 characters; names with $ belong to the system."""
    name = draft.payload.event_type
    if not name or name.isspace():
        raise Rejected("event_type is empty: name what happened, such as page_view")
    if len(name) > LONGEST_TYPE:
        raise Rejected(f"event_type is longer than {LONGEST_TYPE} characters")
    if not name.isprintable():
        raise Rejected("event_type holds control characters")
    if name[0] == "$" and name not in SYSTEM_TYPES:
        raise Rejected("event_type starts with $, which is kept for the system: use another name")


def put_ids_as_text(draft: Draft, _reception: Reception) -> None:
    """Ids may be sent as numbers; they are kept as text. An empty id is no id."""
    payload = draft.payload
    draft.user_id = _id(payload.user_id, "user_id")
    draft.anonymous_id = _id(payload.anonymous_id, "anonymous_id")
    draft.session_id = _id(payload.session_id, "session_id")


def _id(value: str | int | None, field: str) -> str | None:
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else str(value)
    if len(text) > LONGEST_ID:
        raise Rejected(f"{field} is longer than {LONGEST_ID} characters")
    if "\0" in text:
        raise Rejected(f"{field} holds a NUL character, which cannot be stored")
    return text


def check_value(value: Any, field: str, depth: int = 1) -> None:
    """Raise Rejected when an object is nested deeper than 32 levels, or holds a NUL character or a number beyond a double's."""
    if depth > DEEPEST:
        raise Rejected(f"{field} is nested deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        if "\0" in "".join(value):
            raise Rejected(f"{field} holds a NUL character in a name, which cannot be stored")
        value = value.values()
    for inner in value:
        if isinstance(inner, str):
            if "\0" in inner:
                raise Rejected(f"{field} holds a NUL character, which cannot be stored")
        elif isinstance(inner, _NESTED):
            check_value(inner, field, depth + 1)
        elif isinstance(inner, int) and not -LARGEST_NUMBER <= inner <= LARGEST_NUMBER:
            raise Rejected(f"{field} holds a number of {len(str(abs(inner)))} digits: send it as text")


def render(value: dict[str, Any], field: str) -> bytes:
    """JSON of an object, as UTF-8. Raises Rejected for what cannot be stored or sent on: see `check_value`."""
    try:
        text = orjson.dumps(value)
    except TypeError:
        # Integers beyond 64 bits, which orjson refuses and JSON and jsonb do not; or far too deep.
        check_value(value, field)
        return msgspec.json.encode(value)
    # Nearly always too flat to be nested too deeply, and without an escaped NUL: then nothing needs to be looked through.
    if text.count(b"{") + text.count(b"[") > DEEPEST or (_BACKSLASH in text and text.find(b"\\u0000") >= 0):
        check_value(value, field)
    return text


def put_texts(draft: Draft, _reception: Reception) -> None:
    """Event data and context as JSON: no object deeper than 32 levels, no NUL character anywhere, no number that is none elsewhere."""
    draft.event_json = render(draft.event_data, "event_data")
    draft.context_json = render(draft.context, "context")
    if draft.user_properties is not None:
        draft.properties_json = render(draft.user_properties, "user_properties")
