"""What becomes of the exports of Segment, Amplitude and Mixpanel. No database is needed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from analytics_api.ingest.payloads import EventPayload
from tests.support.lines import BROWSER, one, read, stored

# Segment

SEGMENT = {
    "messageId": "m-1",
    "anonymousId": "anon-1",
    "timestamp": "2026-01-02T03:04:05.678Z",
    "context": {"ip": "192.0.2.7", "userAgent": BROWSER, "locale": "en"},
}


def test_segment_track() -> None:
    payload = one(
        "segment", {**SEGMENT, "type": "track", "event": "Clicked", "userId": 42, "properties": {"x": 1}}
    )
    assert payload == EventPayload(
        "Clicked",
        {"x": 1},
        user_id=42,
        anonymous_id="anon-1",
        event_id="m-1",
        timestamp="2026-01-02T03:04:05.678Z",
        context={"ip": "192.0.2.7", "user_agent": BROWSER, "locale": "en"},
    )


def test_segment_counts_money_of_completed_orders_only() -> None:
    properties = {"revenue": 25.5, "currency": "EUR"}
    paid = one("segment", {**SEGMENT, "type": "track", "event": "Order Completed", "properties": properties})
    begun = one(
        "segment", {**SEGMENT, "type": "track", "event": "Checkout Started", "properties": properties}
    )
    assert (paid.revenue, paid.currency) == (25.5, "EUR")
    assert (begun.revenue, begun.currency) == (None, None)


def test_segment_page_and_screen() -> None:
    page = one(
        "segment", {**SEGMENT, "type": "page", "name": "Home", "properties": {"path": "/", "title": "T"}}
    )
    assert (page.event_type, page.event_data) == (
        "page_view",
        {"path": "/", "title": "T", "page_name": "Home"},
    )
    assert page.context is not None
    assert page.context["page"] == {"path": "/", "title": "T"}
    screen = one("segment", {**SEGMENT, "type": "screen", "name": "Home"})
    assert (screen.event_type, screen.event_data) == ("screen_view", {"screen_name": "Home"})


def test_segment_identity() -> None:
    identify = one(
        "segment", {**SEGMENT, "type": "identify", "userId": "u", "traits": {"plan": "pro", "$x": 1}}
    )
    assert (identify.event_type, identify.user_id, identify.anonymous_id) == ("$identify", "u", "anon-1")
    assert stored(identify).user_properties == '{"$set":{"plan":"pro","$x":1}}'
    group = one(
        "segment", {**SEGMENT, "type": "group", "userId": "u", "groupId": "g", "traits": {"seats": 3}}
    )
    assert (group.event_type, group.event_data) == (
        "$identify",
        {"group_id": "g", "group_traits": {"seats": 3}},
    )
    assert group.user_properties == {"$set": {"group_id": "g"}}
    alias = one("segment", {**SEGMENT, "type": "alias", "userId": "u", "previousId": "old"})
    assert (alias.event_type, alias.user_id, alias.event_data) == ("$alias", "u", {"alias": "old"})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "delete"}, "type 'delete' is none of track, page, screen, identify, group, alias"),
        ({"type": "track"}, "event is missing: a track message names what happened"),
        ({"type": "alias", "userId": "u"}, "previousId or userId is missing: an alias message names both"),
        ({"event": "x"}, "Object missing required field `type`"),
    ],
)
def test_segment_refusals(message: dict[str, Any], reason: str) -> None:
    assert read("segment", json.dumps(message)) == [(1, reason)]


# Amplitude

AMPLITUDE = {
    "$insert_id": "ins-1",
    "uuid": "0b9f4f60-6f0e-11f0-9d5a-0242ac120002",
    "event_type": "played",
    "event_time": "2026-01-01 10:00:00.250000",
    "user_id": "u1",
    "device_id": "d1",
    "session_id": 1767261600000,
    "event_properties": {"song": "x"},
    "user_properties": {"plan": "pro"},
    "ip_address": "192.0.2.7",
    "country": "Germany",
    "os_name": "iOS",
    "amplitude_id": 1,
}


def test_amplitude_event() -> None:
    event = stored(one("amplitude", AMPLITUDE))
    assert event.event_type == "played"
    assert event.occurred_at == datetime(2026, 1, 1, 10, 0, 0, 250_000, tzinfo=UTC)
    assert (event.user_id, event.anonymous_id, event.session_id) == ("u1", "d1", "1767261600000")
    assert json.loads(event.event_data) == {"song": "x"}
    assert event.user_properties == '{"$set":{"plan":"pro"}}'
    context = json.loads(event.context)
    assert (context["location"], context["os_name"]) == ({"country": "Germany"}, "iOS")
    assert "ip" not in context


def test_amplitude_ids_and_sessions() -> None:
    assert one("amplitude", AMPLITUDE).event_id == "ins-1"
    without = {key: value for key, value in AMPLITUDE.items() if key != "$insert_id"}
    assert one("amplitude", without).event_id == AMPLITUDE["uuid"]
    assert one("amplitude", {**AMPLITUDE, "session_id": -1}).session_id is None


def test_amplitude_operations_groups_and_reserved_names() -> None:
    given = {
        "$set": {"a": 1},
        "$setOnce": {"b": 2},
        "$add": {"c": 3},
        "$unset": {"d": "-"},
        "$remove": {"e": 1},
    }
    identify = stored(one("amplitude", {**AMPLITUDE, "event_type": "$identify", "user_properties": given}))
    assert json.loads(identify.user_properties or "") == {
        "$set": {"a": 1},
        "$set_once": {"b": 2},
        "$add": {"c": 3},
        "$unset": {"d": "-"},
    }
    assert read("amplitude", json.dumps({**AMPLITUDE, "event_type": "$groupidentify"})) == [(1, None)]
    names = {
        "[Amplitude] Page Viewed": "page_view",
        "$exposure": "exposure",
        "session_start": "session_start",
    }
    for theirs, ours in names.items():
        assert one("amplitude", {**AMPLITUDE, "event_type": theirs}).event_type == ours


def test_amplitude_pages_have_their_address_and_source() -> None:
    seen = {
        **AMPLITUDE,
        "event_type": "[Amplitude] Page Viewed",
        "event_properties": {
            "[Amplitude] Page Domain": "shop.example",
            "[Amplitude] Page Location": "https://shop.example/caps?utm_campaign=may",
            "[Amplitude] Page Path": "/caps",
            "[Amplitude] Page Title": "Caps",
            "[Amplitude] Page URL": "https://shop.example/caps",
            "referrer": "https://chatgpt.com/",
        },
    }
    context = json.loads(stored(one("amplitude", seen)).context)
    assert context["page"] == {
        "url": "https://shop.example/caps?utm_campaign=may",
        "path": "/caps",
        "title": "Caps",
        "referrer": "https://chatgpt.com/",
    }
    assert (context["source"]["channel"], context["source"]["utm_campaign"]) == ("ai", "may")


def test_amplitude_revenue() -> None:
    paid = {**AMPLITUDE, "event_properties": {"$revenue": 4.99}}
    refunded = {**AMPLITUDE, "event_properties": {"$revenue": -4.99}}
    assert str(stored(one("amplitude", paid)).revenue) == "4.99"
    assert stored(one("amplitude", refunded)).revenue is None


# Mixpanel


def mixpanel(event: str = "Played", **properties: Any) -> EventPayload:
    given = {"time": 1767261600, "$insert_id": "abc", **properties}
    return one("mixpanel", {"event": event, "properties": given})


def test_mixpanel_event() -> None:
    payload = mixpanel(
        distinct_id="u1", song="x", **{"$browser": "Firefox", "$current_url": "https://example.com/a"}
    )
    assert payload == EventPayload(
        "Played",
        {"song": "x"},
        user_id="u1",
        event_id="abc",
        timestamp=1767261600000,
        context={"browser": "Firefox", "page": {"url": "https://example.com/a"}},
    )
    assert stored(payload).occurred_at == datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("time", [1767261600.25, 1767261600250])
def test_mixpanel_time_in_seconds_or_milliseconds(time: float) -> None:
    assert mixpanel(distinct_id="u", time=time).timestamp == 1767261600250


@pytest.mark.parametrize(
    ("properties", "user", "device"),
    [
        ({"distinct_id": "u1"}, "u1", None),
        ({"distinct_id": "$device:d1"}, None, "d1"),
        ({"distinct_id": "d1", "$device_id": "d1"}, None, "d1"),
        ({"distinct_id": "u1", "$device_id": "d1"}, "u1", "d1"),
        ({"distinct_id": "canonical", "$user_id": "u1", "$device_id": "d1"}, "u1", "d1"),
        ({"distinct_id": ""}, None, None),
        ({"distinct_id": 7}, "7", None),
    ],
)
def test_mixpanel_persons(properties: dict[str, Any], user: str | None, device: str | None) -> None:
    payload = mixpanel(**properties)
    assert (payload.user_id, payload.anonymous_id) == (user, device)


def test_mixpanel_identity() -> None:
    identify = mixpanel("$identify", **{"$identified_id": "u1", "$anon_id": "d1", "distinct_id": "u1"})
    assert (identify.event_type, identify.user_id, identify.anonymous_id) == ("$identify", "u1", "d1")
    alias = mixpanel("$create_alias", distinct_id="u1", alias="old")
    assert (alias.event_type, alias.user_id, alias.event_data) == ("$alias", "u1", {"alias": "old"})
    merge = mixpanel("$merge", **{"$distinct_ids": ["u1", "old"]})
    assert (merge.event_type, merge.user_id, merge.event_data) == ("$alias", "u1", {"alias": "old"})
    assert mixpanel("$ae_session", distinct_id="u").event_type == "ae_session"


def test_mixpanel_page_views() -> None:
    page = mixpanel("$mp_web_page_view", distinct_id="u", current_url_path="/a", current_page_title="A")
    assert (page.event_type, page.event_data) == ("page_view", {"path": "/a"})
    assert page.context == {"page": {"path": "/a", "title": "A"}}
