"""Rows of the log as a reader sees them, made for tests that need no database; and a strategy for any of them."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st

from analytics_api.domain.event import StoredEvent
from analytics_api.domain.identity import person_of

NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
NOW = datetime(2026, 3, 10, 12, 0, 0, 123456, tzinfo=UTC)
_numbers = itertools.count(1)


def stored_event(
    event_type: str = "page_view",
    *,
    user_id: str | None = "ada",
    anonymous_id: str | None = None,
    session_id: str | None = None,
    event_data: dict[str, Any] | None = None,
    user_properties: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    revenue: str | None = None,
    occurred_at: datetime = NOW,
    received_at: datetime = NOW,
) -> StoredEvent:
    """A row with a sequence number and an id of its own."""
    seq = next(_numbers)
    event_id = uuid5(NAMESPACE, f"event {seq}")
    person, has_person = person_of(NAMESPACE, user_id, anonymous_id, event_id)
    return StoredEvent(
        seq=seq,
        project_id=1,
        event_id=event_id,
        person_id=person,
        has_person=has_person,
        user_id=user_id,
        anonymous_id=anonymous_id,
        session_id=session_id,
        event_type=event_type,
        event_data=json.dumps(event_data or {}),
        user_properties=None if user_properties is None else json.dumps(user_properties),
        context=json.dumps(context or {}),
        revenue=None if revenue is None else Decimal(revenue),
        currency=None if revenue is None else "EUR",
        occurred_at=occurred_at,
        received_at=received_at,
        is_bot=False,
        trusted=True,
    )


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
"""What a text column holds: any character but NUL, no lone surrogates."""

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.text("x", min_size=1000, max_size=2000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
"""Any JSON value that a jsonb column holds."""

OBJECTS = st.dictionaries(
    TEXT
    | st.sampled_from(
        ["time", "distinct_id", "token", "$insert_id", "ip", "bucket", "session_id", "$ignore"]
    ),
    VALUES,
    max_size=6,
)
_IDS = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
_OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "$set": st.dictionaries(TEXT, VALUES, max_size=4),
        "$set_once": st.dictionaries(TEXT, VALUES, max_size=4),
        "$add": st.dictionaries(TEXT, st.integers(-1000, 1000) | st.floats(-10, 10), max_size=4),
        "$append": st.dictionaries(TEXT, VALUES, max_size=4),
        "$unset": st.dictionaries(TEXT, st.just(True), max_size=4),
    },
)

STORED_EVENTS = st.builds(
    stored_event,
    st.sampled_from(["page_view", "purchase", "$identify", "$alias", "api_request", "Größe geändert"]),
    user_id=_IDS,
    anonymous_id=_IDS,
    session_id=st.none() | TEXT | st.just("1773144000000"),
    event_data=OBJECTS,
    user_properties=st.none() | _OPERATIONS,
    context=st.dictionaries(
        st.sampled_from(["ip", "user_agent", "page", "os", "device", "locale", "app"]),
        TEXT
        | st.dictionaries(
            st.sampled_from(["url", "path", "title", "name", "version", "model"]), VALUES, max_size=3
        ),
        max_size=4,
    ),
    revenue=st.none() | st.decimals(0, 10**14, places=9).map(str),
    occurred_at=st.datetimes(
        (NOW - timedelta(days=20_000)).replace(tzinfo=None),
        (NOW + timedelta(minutes=5)).replace(tzinfo=None),
        timezones=st.just(UTC),
    ),
)
"""Any row that intake lets into the log."""

_SHORT = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
)
_SHORT_OBJECTS = st.dictionaries(
    st.text("abc_$", max_size=5),
    _SHORT | st.text("ab", max_size=9) | st.dictionaries(st.text("xy", max_size=3), _SHORT, max_size=2),
    max_size=5,
)

SHORT_EVENTS = st.builds(
    stored_event,
    st.sampled_from(["page_view", "purchase"]),
    user_id=st.none() | st.just("ada"),
    anonymous_id=st.just("device-1"),
    session_id=st.none() | st.just("1773144000000"),
    event_data=_SHORT_OBJECTS,
    context=st.fixed_dictionaries(
        {},
        optional={
            "page": st.fixed_dictionaries(
                {}, optional={"url": st.just("https://example.com/"), "path": st.just("/"), "title": _SHORT}
            ),
            "country": st.just("DE"),
            "locale": st.just("de") | _SHORT,
            "os": st.just("Linux") | st.just({"name": "Linux", "version": "6"}),
        },
    ),
    revenue=st.none() | st.just("9.99"),
)
"""Rows as most are: short, without lists."""
