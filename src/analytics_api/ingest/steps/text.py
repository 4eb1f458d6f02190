"""Names and values: lengths, characters and depth that the database and the providers can hold."""

from __future__ import annotations

import re
import sys
from typing import Any

from analytics_api.domain.event import SYSTEM_TYPES
from analytics_api.domain.personal_data import DIGITS
from analytics_api.ingest.draft import Draft, Reception, Rejected

LONGEST_TYPE = 200
LONGEST_ID = 512
DEEPEST = 32
"""Amplitude takes 40 levels and Mixpanel 3; deeper data is a mistake and costs stack everywhere."""
LARGEST_NUMBER = sys.float_info.max
"""Beyond it parsers fail or read infinity. Fractions are refused by the decoder; integers it takes up to 4,300 digits."""

_has_long_number = re.compile(rb"[0-9]{309}").search


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
        elif isinstance(inner, dict | list):
            check_value(inner, field, depth + 1)
        elif isinstance(inner, int) and not -LARGEST_NUMBER <= inner <= LARGEST_NUMBER:
            raise Rejected(f"{field} holds a number of {len(str(abs(inner)))} digits: send it as text")


def check_values(draft: Draft, _reception: Reception) -> None:
    """No object deeper than 32 levels, no NUL character anywhere, no number that is none elsewhere."""
    if draft.plain:
        return
    check_value(draft.event_data, "event_data")
    check_value(draft.context, "context")
    if draft.user_properties is not None:
        check_value(draft.user_properties, "user_properties")


def is_plain(text: bytes, hints: int) -> bool:
    """Whether the JSON of an event is too flat to be nested too deeply and holds no escaped NUL and no long number.

    True for nearly every event, and then nothing needs to be looked through. `hints`: as domain/personal_data.py has them.
    """
    return (
        text.count(b"{") + text.count(b"[") <= DEEPEST
        and b"\\u0000" not in text
        and not (hints & DIGITS and _has_long_number(text))
    )
