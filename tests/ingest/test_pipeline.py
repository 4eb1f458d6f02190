"""What intake makes of single events: fields, ids, times, money, personal data. No database is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.domain.times import PUBLIC_REACH, clock_skew
from analytics_api.ingest.draft import Reception, Rejected
from analytics_api.ingest.payloads import parse_body
from analytics_api.ingest.pipeline import draft_event, run_steps

NAMESPACE = UUID("6d1b6c7e-8f0a-4b52-9a55-0d3f5f7f2c11")
PROJECT = Project(1, "default", "Default", NAMESPACE, ZoneInfo("UTC"), "EUR", 1)
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SERVER = Reception(PROJECT, True, NOW, timedelta(), None, keep_pii=False)
PUBLIC = Reception(PROJECT, False, NOW, timedelta(), PUBLIC_REACH, keep_pii=False)


def take(event: dict[str, Any], reception: Reception = SERVER) -> tuple[NewEvent, list[str]]:
    """The stored form of an event and the warnings for its sender."""
    draft = draft_event(json.dumps(event).encode(), 0, 65_536)
    taken = run_steps(draft, reception)
    return taken, [warning.text for warning in draft.warnings if warning.told]


def refusal(event: Any, reception: Reception = SERVER) -> str:
    """Why an event is rejected."""
    with pytest.raises(Rejected) as caught:
        take(event, reception)
    return str(caught.value)


NAMES = "alias, from_user_id, from_anonymous_id: give the one id that joins user_id"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"user_id": "a"}, f"event_data names 0 of {NAMES}"),
        (
            {"user_id": "a", "event_data": {"alias": "b", "from_user_id": "c"}},
            f"event_data names 2 of {NAMES}",
        ),
        (
            {"user_id": "a", "event_data": {"alias": ["b"]}},
            "event_data.alias is no id: send text of up to 512 characters",
        ),
        (
            {"user_id": "a", "event_data": {"from_user_id": "x" * 513}},
            "event_data.from_user_id is no id: send text of up to 512 characters",
        ),
        (
            {"anonymous_id": "d", "event_data": {"from_anonymous_id": "e"}},
            "user_id is missing: it names the known person that the other id joins",
        ),
        (
            {"event_data": {"alias": "b"}},
            "user_id is missing: it names the known person that the other id joins",
        ),
    ],
)
def test_an_alias_names_two_ids(event: dict[str, Any], reason: str) -> None:
    assert refusal({"event_type": "$alias", **event}) == reason
    if "anonymous_id" not in event:
        assert refusal({"event_type": "$unalias", **event}) == reason


def test_a_public_key_joins_devices_only() -> None:
    known = {"user_id": "a", "event_data": {"from_user_id": "b"}}
    assert refusal({"event_type": "$alias", **known}, PUBLIC) == (
        "event_data.from_user_id: only a server key may make two known persons one"
    )
    assert refusal({"event_type": "$unalias", **known}, PUBLIC) == (
        "event_type: only a server key may send $unalias"
    )
    for event in (
        {"user_id": "a", "event_data": {"alias": 7}},
        {"user_id": "a", "event_data": {"from_anonymous_id": "d"}},
        {"anonymous_id": "d", "event_data": {"alias": "a"}},
    ):
        taken, warnings = take({"event_type": "$alias", **event}, PUBLIC)
        assert (taken.event_type, warnings) == ("$alias", [])


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, "event_type is missing: name what happened, such as page_view"),
        ({"event_type": ""}, "event_type is empty: name what happened, such as page_view"),
        ({"event_type": 7}, "event_type: expected `str`, got `int`"),
        ({"event_type": "x" * 201}, "event_type is longer than 200 characters"),
        ({"event_type": "a\nb"}, "event_type holds control characters"),
        ({"event_type": "$mine"}, "event_type starts with $, which is kept for the system: use another name"),
        ({"event_type": "a", "event_data": [1]}, "event_data: expected `object | null`, got `array`"),
        ({"event_type": "a", "context": "x"}, "context: expected `object | null`, got `str`"),
        ({"event_type": "a", "user_id": True}, "user_id: expected `int | str | null`, got `bool`"),
        ({"event_type": "a", "user_id": "u\0"}, "user_id holds a NUL character, which cannot be stored"),
        ({"event_type": "a", "event_id": "e" * 513}, "event_id is longer than 512 characters"),
        (
            {"event_type": "a", "event_data": {"x": ["\0"]}},
            "event_data holds a NUL character, which cannot be stored",
        ),
        (
            {"event_type": "a", "event_data": {"x\0": 1}},
            "event_data holds a NUL character in a name, which cannot be stored",
        ),
        (
            {"event_type": "a", "timestamp": "yesterday"},
            "timestamp is not a time: send ISO 8601 such as 2026-01-31T12:00:00Z, or epoch milliseconds",
        ),
        ({"event_type": "a", "timestamp": "0001-01-01T00:00:00Z"}, "timestamp is before 1971-01-01"),
        ({"event_type": "a", "timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp is before 1971-01-01"),
        (
            {"event_type": "a", "timestamp": 1767225600},
            "timestamp looks like epoch seconds: send epoch milliseconds",
        ),
        ({"event_type": "a", "timestamp": 1e300}, "timestamp is out of range: send epoch milliseconds"),
        (
            {"event_type": "a", "revenue": "ten"},
            "revenue is not an amount: send a number or decimal text such as 19.99",
        ),
        *(
            (
                {"event_type": "a", "revenue": amount},
                "revenue is not a usable amount: finite, below 10^15, at most 9 decimal places",
            )
            for amount in ("NaN", "1e15", "1e-10", "1e999999999", "-1e999999999", "0e999999999")
        ),
        (
            {"event_type": "a", "revenue": -1},
            "revenue is negative: send payment_refunded for money given back",
        ),
        (
            {"event_type": "a", "revenue": 1, "currency": "Euro"},
            "currency is not a currency: send a code of three letters such as USD",
        ),
        (
            {"event_type": "a", "user_properties": {"$inc": {"a": 1}}},
            "user_properties.$inc is no operation: use $set, $set_once, $add, $append, $unset",
        ),
        (
            {"event_type": "a", "user_properties": {"$add": {"a": "1"}}},
            "user_properties.$add.a is not a number",
        ),
        ({"event_type": "a", "user_properties": {"$set": 1}}, "user_properties.$set takes an object"),
        ([], "an event must be a JSON object: expected `object`, got `array`"),
        (None, "an event must be a JSON object: expected `object`, got `null`"),
    ],
)
def test_refusals_name_the_field_and_the_fix(event: Any, reason: str) -> None:
    assert refusal(event) == reason


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"end": True}
    for _ in range(depth - 1):
        value = {"in": value}
    return value


def test_depth_is_bounded() -> None:
    take({"event_type": "a", "event_data": nested(32)})
    assert (
        refusal({"event_type": "a", "event_data": nested(33)}) == "event_data is nested deeper than 32 levels"
    )
    deep = b'{"event_type":"a","event_data":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001
    with pytest.raises(Rejected, match="nested too deeply"):
        draft_event(deep, 0, 10_000_000)


def test_size_is_bounded() -> None:
    raw = json.dumps({"event_type": "a", "event_data": {"x": "y" * 70_000}}).encode()
    with pytest.raises(Rejected, match=r"the event has 70\d\d\d bytes; the limit is 65536"):
        draft_event(raw, 0, 65_536)


def test_ids_and_people() -> None:
    event, _ = take({"event_type": "a", "user_id": 42, "anonymous_id": "device", "event_id": "order-7"})
    assert event.event_id == uuid5(NAMESPACE, "order-7")
    assert event.person_id == uuid5(NAMESPACE, "u:42")
    assert (event.user_id, event.has_person, event.keyed) == ("42", True, True)

    given_id = "0190b5c2-6f5e-7cc3-98c4-dc0c0c07398f"
    event, _ = take({"event_type": "a", "anonymous_id": "device", "event_id": given_id.upper()})
    assert event.event_id == UUID(given_id)
    assert event.person_id == uuid5(NAMESPACE, "a:device")

    event, _ = take({"event_type": "a", "user_id": "", "event_id": given_id})
    assert not event.has_person
    assert event.person_id == uuid5(NAMESPACE, f"e:{given_id}")


def test_an_id_made_here_is_a_uuid_of_version_7_and_needs_no_key() -> None:
    first, _ = take({"event_type": "a"})
    second, _ = take({"event_type": "a"})
    assert first.event_id != second.event_id
    assert first.event_id.version == 7
    assert not first.keyed


def test_idempotency_key_makes_ids_by_place() -> None:
    reception = replace(SERVER, idempotency_key="retry-1")
    draft = [draft_event(b'{"event_type":"a"}', index, 1000) for index in (0, 1, 0)]
    ids = [run_steps(one, reception).event_id for one in draft]
    assert ids[0] == ids[2] != ids[1]
    assert all(one.keyed for one in draft)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00+05:45", datetime(2026, 3, 1, 4, 15, tzinfo=UTC)),
        ("2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        (1772359200000, datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("1772359200000", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        # Which Python reads as 1772-12-31.
        ("1772123100000", datetime(2026, 2, 26, 16, 25, tzinfo=UTC)),
        (1772359200000.5, datetime(2026, 3, 1, 10, 0, 0, 500, tzinfo=UTC)),
        (None, NOW),
        ("2026-03-10T12:04:59Z", datetime(2026, 3, 10, 12, 4, 59, tzinfo=UTC)),
        ("1997-01-01T12:00:00Z", datetime(1997, 1, 1, 12, tzinfo=UTC)),
    ],
)
def test_times(sent: Any, stored: datetime) -> None:
    event, warnings = take({"event_type": "a", "timestamp": sent})
    assert event.occurred_at == stored
    assert warnings == []


@pytest.mark.parametrize("moment", ["3000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
def test_a_time_in_the_future_is_clamped_and_said(moment: str) -> None:
    event, warnings = take({"event_type": "a", "timestamp": moment})
    assert event.occurred_at == NOW
    assert json.loads(event.context) == {"time_clamped": True}
    assert warnings == ["timestamp lies in the future and was set to the time of arrival"]


def test_a_public_key_reaches_400_days_back() -> None:
    take({"event_type": "a", "timestamp": "2025-03-01T00:00:00Z"}, PUBLIC)
    assert "more than 400 days ago" in refusal(
        {"event_type": "a", "timestamp": "2024-03-01T00:00:00Z"}, PUBLIC
    )


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        (timedelta(seconds=60), NOW - timedelta(minutes=5)),  # within tolerance: left alone
        (timedelta(hours=2), NOW - timedelta(minutes=5) + timedelta(hours=2)),
        (-timedelta(hours=2), NOW - timedelta(minutes=5) - timedelta(hours=2)),
    ],
)
def test_skew_of_the_clock_is_corrected_and_never_later_than_arrival(
    behind: timedelta, expected: datetime
) -> None:
    reception = replace(SERVER, skew=clock_skew(NOW, NOW - behind))
    event, _ = take({"event_type": "a", "timestamp": (NOW - timedelta(minutes=5)).isoformat()}, reception)
    assert event.occurred_at == min(expected, NOW)


def test_personal_data_is_removed_at_any_depth_and_named() -> None:
    event, warnings = take(
        {
            "event_type": "a",
            "event_data": {"Email": "a@b.c", "plan": "pro", "people": [{"first-name": "A", "age": 3}]},
            "user_properties": {"fullName": "A B", "$set": {"phone": "1", "tier": 2}},
            "context": {
                "ip": "10.1.2.3",
                "user_agent": "Mozilla",
                "page": {"path": "/"},
                "ip_address": "1.1.1.1",
            },
        }
    )
    assert json.loads(event.event_data) == {"plan": "pro", "people": [{"age": 3}]}
    assert json.loads(event.user_properties or "") == {"$set": {"tier": 2}}
    assert json.loads(event.context) == {"page": {"path": "/"}}
    assert sorted(warnings) == [
        "context.ip_address was removed as personal data",
        "event_data.Email was removed as personal data",
        "event_data.people.first-name was removed as personal data",
        "user_properties.$set.phone was removed as personal data",
        "user_properties.fullName was removed as personal data",
    ]


def test_names_of_programs_and_campaigns_are_no_personal_data() -> None:
    context = {
        "os": {"name": "iOS", "version": "18"},
        "campaign": {"name": "autumn", "email": "a@b.c"},
        "device": {"name": "Ada's telephone", "model": "X"},
        "os_user": {"name": "Ada"},
    }
    event, _ = take({"event_type": "a", "context": context, "event_data": {"os": {"name": "Ada"}}})
    assert json.loads(event.context) == {
        "os": {"name": "iOS", "version": "18"},
        "campaign": {"name": "autumn"},
        "device": {"model": "X"},
        "os_user": {},
        "source": {"channel": "campaign", "utm_campaign": "autumn"},
    }
    assert json.loads(event.event_data) == {"os": {}}


def test_personal_data_is_kept_where_that_is_switched_on() -> None:
    reception = replace(PUBLIC, keep_pii=True, ip="192.0.2.7", user_agent="Mozilla/5.0")
    event, _ = take({"event_type": "a", "event_data": {"email": "a@b.c"}}, reception)
    assert json.loads(event.event_data) == {"email": "a@b.c"}
    assert json.loads(event.context) == {"ip": "192.0.2.7", "user_agent": "Mozilla/5.0"}


def test_user_properties_take_one_form() -> None:
    event, _ = take(
        {
            "event_type": "a",
            "user_properties": {
                "plan": "pro",
                "$set": {"seats": 3},
                "$unset": ["old"],
                "$add": {"logins": 1},
            },
        }
    )
    assert json.loads(event.user_properties or "") == {
        "$set": {"seats": 3, "plan": "pro"},
        "$unset": {"old": True},
        "$add": {"logins": 1},
    }
    event, _ = take({"event_type": "a", "user_properties": {}})
    assert event.user_properties is None


@pytest.mark.parametrize(
    ("event", "revenue", "currency"),
    [
        ({"event_type": "any", "revenue": 19.99}, "19.99", "EUR"),
        ({"event_type": "any", "revenue": "0.10", "currency": "usd"}, "0.10", "USD"),
        ({"event_type": "payment_completed", "event_data": {"amount": 5, "currency": "GBP"}}, "5", "GBP"),
        ({"event_type": "payment_completed", "revenue": 7, "event_data": {"amount": 5}}, "7", "EUR"),
        ({"event_type": "payment_initiated", "event_data": {"amount": 5}}, None, None),
    ],
)
def test_revenue(event: dict[str, Any], revenue: str | None, currency: str | None) -> None:
    stored, warnings = take(event)
    assert (stored.revenue, stored.currency) == (None if revenue is None else Decimal(revenue), currency)
    assert warnings == []


@pytest.mark.parametrize(
    "event",
    [
        {"event_type": "any", "revenue": 19.99},
        {"event_type": "payment_completed", "event_data": {"amount": 5}},
    ],
)
def test_a_public_key_reports_no_money(event: dict[str, Any]) -> None:
    stored, warnings = take(event, PUBLIC)
    assert stored.revenue is None
    assert not stored.trusted
    assert "only a server key may report money" in warnings[0]


def test_a_payment_with_a_slip_in_its_amount_is_kept_and_said() -> None:
    stored, warnings = take({"event_type": "payment_completed", "event_data": {"amount": "5,00"}})
    assert stored.revenue is None
    assert warnings[0].startswith("the amount was not counted: event_data.amount is not an amount")


def test_unknown_fields_are_named() -> None:
    event, warnings = take({"event_type": "a", "userId": "7", "properties": {}})
    assert event.user_id is None
    assert warnings == ["unknown fields were not kept: properties, userId (put your own under event_data)"]


def test_integers_beyond_64_bits_are_kept() -> None:
    event, _ = take({"event_type": "a", "event_data": {"big": 2**70}})
    assert json.loads(event.event_data) == {"big": 2**70}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    "event_type", "event_data", "user_properties", "user_id", "anonymous_id", "session_id",
    "event_id", "timestamp", "context", "revenue", "currency",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), json_values) | json_values)
def test_any_json_is_taken_or_rejected_with_a_reason(event: Any) -> None:
    try:
        stored, _ = take(event)
    except Rejected as error:
        assert str(error)
        return
    for text in (stored.event_data, stored.context, stored.user_properties or "{}"):
        assert isinstance(json.loads(text), dict)
    assert stored.occurred_at <= NOW + timedelta(minutes=5)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_parsed_or_refused_with_a_reason(body: bytes) -> None:
    from analytics_api.errors import BadRequest

    try:
        parsed = parse_body(body, "application/json")
    except BadRequest as error:
        assert error.detail
        return
    assert parsed.events is not None
