"""Amplitude: what an event becomes, and how each row of its answer table is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from analytics_api.deliver.providers.amplitude import render as module
from analytics_api.deliver.providers.amplitude.answer import QUOTA_SECONDS, THROTTLED_SECONDS, read_answer
from analytics_api.deliver.providers.amplitude.provider import Amplitude, make
from analytics_api.deliver.providers.port import Payload
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import (
    Dead,
    Delivered,
    Outcome,
    Paused,
    Refused,
    Resend,
    Retry,
    Skipped,
    SkipReason,
    Throttled,
)
from analytics_api.errors import ConfigurationError
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer
from tests.support.providers import AmplitudeStandIn
from tests.support.stored import SHORT_EVENTS, STORED_EVENTS, stored_event

PROVIDER = Amplitude("key")


def bodies(event: StoredEvent) -> list[dict[str, Any]]:
    rendered = PROVIDER.render(event)
    assert isinstance(rendered, list), rendered
    return [json.loads(payload.body) for payload in rendered]


def words(event: StoredEvent) -> str:
    rendered = PROVIDER.render(event)
    assert isinstance(rendered, Dead), rendered
    return rendered.words


def test_an_event_with_everything() -> None:
    event = stored_event(
        "payment_completed",
        user_id="42",
        anonymous_id="device-1",
        session_id="1773144000000",
        event_data={"plan": "pro", "quantity": 2, "ratio": 0.5, "gift": False, "note": None},
        context={
            "ip": "203.0.113.7",
            "user_agent": "Mozilla/5.0",
            "locale": "de-DE",
            "os": {"name": "Linux", "version": 6},
            "page": {
                "url": "https://example.org/a?b",
                "path": "/a",
                "title": "A",
                "referrer": "https://r.example",
            },
        },
        revenue="19.990",
        occurred_at=datetime(2026, 3, 10, 12, 0, 0, 999_999, tzinfo=UTC),
    )
    assert bodies(event) == [
        {
            "user_id": "42",
            "device_id": "device-1",
            "event_type": "payment_completed",
            "time": 1773144000999,
            "insert_id": str(event.event_id),
            "session_id": 1773144000000,
            "revenue": 19.99,
            "currency": "EUR",
            "ip": "203.0.113.7",
            "user_agent": "Mozilla/5.0",
            "language": "de-DE",
            "os_name": "Linux",
            "event_properties": {
                "page_url": "https://example.org/a?b",
                "page_path": "/a",
                "page_title": "A",
                "page_referrer": "https://r.example",
                "plan": "pro",
                "quantity": 2,
                "ratio": 0.5,
                "gift": False,
            },
        }
    ]


def test_nothing_that_was_not_stored_is_made_up() -> None:
    (body,) = bodies(stored_event())
    assert sorted(body) == ["event_properties", "event_type", "insert_id", "time", "user_id"]


def test_values_that_the_builder_would_drop_are_put_into_a_form_it_takes() -> None:
    event = stored_event(
        event_data={
            "matrix": [[1, 2], [3]],
            "holes": [1, None, 2],
            "deep": {"list": [{"list": [[None]]}]},
            "long": "x" * 3000,
            "big": 10**25,
        }
    )
    (body,) = bodies(event)
    assert body["event_properties"] == {
        "matrix": ["[1, 2]", "[3]"],
        "holes": [1, 2],
        "deep": {"list": [{"list": ["[null]"]}]},
        "long": "x" * 1024,
        "big": 10**25,
    }


def test_what_cannot_be_expressed_is_said_and_not_dropped() -> None:
    many = {str(n): n for n in range(1025)}
    assert "1025 keys" in words(stored_event(event_data=many))
    assert "1025 keys" in words(stored_event(event_data={"inner": {"more": many}}))
    assert "1025 user properties" in words(stored_event(user_properties={"$set": many}))


def test_another_session_id_goes_along_as_a_property() -> None:
    (body,) = bodies(stored_event(session_id="s-17"))
    assert body["event_properties"] == {"session_id": "s-17"}
    (body,) = bodies(stored_event(session_id="s-17", event_data={"session_id": "mine"}))
    assert body["event_properties"] == {"session_id": "mine"}


def test_nobody_is_skipped() -> None:
    assert PROVIDER.render(stored_event(user_id=None)) == Skipped(SkipReason.NO_PERSON)


def test_short_ids_are_sent_with_the_option_that_allows_them() -> None:
    (body,) = bodies(stored_event(user_id="7"))
    assert body["user_id"] == "7"


@pytest.mark.parametrize(
    "name", ["0", "-1", "anonymous", "null", "unknown", "00000000-0000-0000-0000-000000000000"]
)
def test_ids_that_name_nobody(name: str) -> None:
    assert repr(name) in words(stored_event(user_id=name))
    assert repr(name) in words(stored_event(user_id=name, anonymous_id="device-1"))
    assert repr(name) in words(stored_event(user_id=None, anonymous_id=name))
    (body,) = bodies(stored_event(user_id="ada", anonymous_id=name))
    assert "device_id" not in body


def test_user_properties_go_before_the_event() -> None:
    event = stored_event(
        "login",
        user_properties={
            "$set": {"plan": "pro", "tags": ["a", None, ["b"]]},
            "$set_once": {"first": "x"},
            "$add": {"logins": 1},
            "$append": {"seen": "home"},
            "$unset": {"trial": True},
        },
    )
    identify, login = bodies(event)
    assert identify["event_type"] == "$identify"
    assert identify["user_properties"] == {
        "$setOnce": {"first": "x"},
        "$set": {"plan": "pro", "tags": ["a", '["b"]']},
        "$add": {"logins": 1},
        "$append": {"seen": "home"},
        "$unset": {"trial": "-"},
    }
    assert identify["time"] == login["time"]
    assert identify["user_id"] == login["user_id"]
    assert identify["insert_id"] != login["insert_id"] == str(event.event_id)


def test_a_property_used_by_two_operations_needs_two_identifies_in_their_order() -> None:
    event = stored_event(
        "$identify",
        user_properties={"$set_once": {"n": 1, "a": 1}, "$set": {"n": 2}, "$add": {"n": 3, "a": 2}},
    )
    found = bodies(event)
    assert [body["user_properties"] for body in found] == [
        {"$setOnce": {"n": 1, "a": 1}},
        {"$set": {"n": 2}, "$add": {"a": 2}},
        {"$add": {"n": 3}},
    ]
    assert len({body["insert_id"] for body in found}) == 3


def test_identify_and_alias_without_anything_to_say() -> None:
    assert PROVIDER.render(stored_event("$identify", anonymous_id="d")) == Skipped(SkipReason.EMPTY)
    assert PROVIDER.render(stored_event("$alias")) == Skipped(SkipReason.FILTER)


def test_the_event_handed_in_is_left_as_it_was() -> None:
    event = stored_event(event_data={"long": "x" * 3000, "list": [[1]]})
    before = event.event_data
    bodies(event)
    assert event.event_data == before
    assert bodies(event) == bodies(event)


async def test_the_request(client: Client, amplitude: AmplitudeStandIn) -> None:
    provider = make({"api_key": amplitude.api_key, "url": amplitude.url + "/"})
    rendered = provider.render(stored_event(user_id="7"))
    assert isinstance(rendered, list)
    assert await provider.send(client, rendered) == [Delivered()]
    (request,) = amplitude.requests
    assert request.path == "/batch"
    body = json.loads(request.body)
    assert sorted(body) == ["api_key", "events", "options"]
    assert body["options"] == {"min_id_length": 1}


def test_options() -> None:
    with pytest.raises(ConfigurationError, match="api_key is missing"):
        make({})
    with pytest.raises(ConfigurationError, match="url must start with"):
        make({"api_key": "k", "url": "api.eu.amplitude.com"})


# Answers

PAYLOADS = [
    Payload("batch", b"{}", person) for person in [("u0",), ("u1", "d1"), ("u2",), ("u1", "d9"), ("u4", "d4")]
]


def read(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> list[Outcome]:
    return read_answer(Answer(status, headers or {}, json.dumps({"code": status, **body}).encode()), PAYLOADS)


def test_success() -> None:
    answer = {"events_ingested": 5, "payload_size_bytes": 50, "server_upload_time": 1}
    assert read(200, answer) == [Delivered()] * 5


@pytest.mark.parametrize(
    "body",
    [
        {"error": "Invalid API key: key"},
        {"error": "Invalid request path"},
        {"error": "Request missing required field", "missing_field": "api_key"},
    ],
)
def test_a_request_that_no_event_is_to_blame_for_pauses(body: dict[str, Any]) -> None:
    assert read(400, body) == [Paused(str(body["error"]))] * 5


@pytest.mark.parametrize("error", ["Invalid JSON request body", "Invalid event JSON", "Something new"])
def test_a_request_refused_as_a_whole_is_to_be_halved(error: str) -> None:
    assert read(400, {"error": error}) == [Refused(error)] * 5


def test_listed_events_die_and_the_rest_is_sent_again() -> None:
    outcomes = read(
        400,
        {
            "error": "Invalid field values on some events",
            "events_with_invalid_fields": {"time": [1, 3], "price": [3]},
            "events_with_missing_fields": {"event_type": [0]},
            "events_with_invalid_id_lengths": {},
        },
    )
    assert [type(found) for found in outcomes] == [Dead, Dead, Resend, Dead, Resend]
    assert outcomes[0] == Dead("Invalid field values on some events: missing field event_type")


def test_the_undocumented_list_of_id_lengths() -> None:
    outcomes = read(
        400,
        {
            "error": "Invalid id length for user_id or device_id",
            "events_with_invalid_id_lengths": {"user_id": [0]},
        },
    )
    assert [type(found) for found in outcomes] == [Dead, Resend, Resend, Resend, Resend]


@pytest.mark.parametrize("nonsense", [{"time": [17, -1, "2"]}, {"time": None}, [1], "x"])
def test_lists_that_name_no_event_of_the_request(nonsense: object) -> None:
    assert read(400, {"error": "odd", "events_with_invalid_fields": nonsense}) == [Refused("odd")] * 5


def test_silenced_events_die() -> None:
    body = {
        "error": "Events silenced for device_id",
        "silenced_devices": ["d1"],
        "silenced_events": [1],
        "throttled_devices": {"d4": 1001},
        "throttled_events": [4],
        "eps_threshold": 1000,
    }
    assert [type(found) for found in read(400, body)] == [Resend, Dead, Resend, Resend, Throttled]
    del body["silenced_events"]
    assert [type(found) for found in read(400, body)] == [Resend, Dead, Resend, Resend, Throttled]


def test_all_events_of_a_throttled_user_or_device_are_held() -> None:
    outcomes = read(
        429,
        {
            "error": "Too many requests for some devices and users",
            "eps_threshold": 1000,
            "throttled_users": {"u1": 1001},
            "throttled_devices": {"d4": 2000},
            "throttled_events": [1],
        },
    )
    held = Throttled(THROTTLED_SECONDS, "Too many requests for some devices and users")
    assert outcomes == [Resend(), held, Resend(), held, held]


def test_a_daily_quota_is_held_for_longer() -> None:
    outcomes = read(429, {"error": "quota", "exceeded_daily_quota_devices": {"d4": 500_001}})
    assert outcomes == [Resend()] * 4 + [Throttled(QUOTA_SECONDS, "quota")]


def test_429_without_names_is_about_all() -> None:
    outcomes = read(429, {"error": "slow down"}, {"retry-after": "30"})
    assert [type(found) for found in outcomes] == [Retry] * 5
    assert isinstance(outcomes[0], Retry)
    assert outcomes[0].after == 30.0


def test_what_intake_found_out_is_sent_unless_the_sender_says_otherwise() -> None:
    found = {"country": "DE", "region": "Berlin", "city": "Berlin", "os": "Linux", "browser": "Firefox"}
    [body] = bodies(stored_event(user_id="u-12345", context=found))
    assert {name: body[name] for name in ("country", "region", "city", "os_name")} == {
        "country": "DE", "region": "Berlin", "city": "Berlin", "os_name": "Linux",
    }  # fmt: skip
    [body] = bodies(stored_event(user_id="u-12345", context={**found, "location": {"country": "FR"}}))
    assert body["country"] == "FR"


@settings(max_examples=300)
@given(event=STORED_EVENTS | SHORT_EVENTS)
def test_plain_events_are_rendered_as_the_official_builder_does(event: StoredEvent) -> None:
    by_hand = module.render(event)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "is_plain", lambda _event: False)
        assert module.render(event) == by_hand


@settings(max_examples=50)
@given(event=SHORT_EVENTS)
def test_short_events_without_lists_are_plain(event: StoredEvent) -> None:
    assert module.is_plain(event)
