"""Mixpanel: what an event becomes, and how each row of its answer table is read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import mixpanel as official
import pytest
from hypothesis import given

from analytics_api.deliver.providers.mixpanel.answer import read_answer
from analytics_api.deliver.providers.mixpanel.provider import Mixpanel, make
from analytics_api.deliver.providers.port import Counted, Payload
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import (
    Dead,
    Delivered,
    Outcome,
    Refused,
    Retry,
    Skipped,
    SkipReason,
    TooLarge,
    Unknown,
)
from analytics_api.errors import ConfigurationError
from analytics_api.outbound.connections import Client
from analytics_api.outbound.http import Answer
from tests.support.providers import MixpanelStandIn
from tests.support.stored import NOW, SHORT_EVENTS, STORED_EVENTS, stored_event

PROVIDER = Mixpanel("token")


def payloads(event: StoredEvent) -> list[Payload]:
    rendered = PROVIDER.render(event)
    assert isinstance(rendered, list), rendered
    return rendered


def record(event: StoredEvent) -> dict[str, Any]:
    """The import record of an event."""
    found: dict[str, Any] = json.loads(payloads(event)[0].body)
    return found


def updates(event: StoredEvent) -> list[dict[str, Any]]:
    return [json.loads(payload.body) for payload in payloads(event) if payload.endpoint == "engage"]


def words(event: StoredEvent) -> str:
    rendered = PROVIDER.render(event)
    assert isinstance(rendered, Dead), rendered
    return rendered.words


def test_an_event_with_everything() -> None:
    event = stored_event(
        "payment_completed",
        user_id="42",
        anonymous_id="device-1",
        session_id="s-1",
        event_data={"plan": "größer", "note": None},
        context={
            "ip": "203.0.113.7",
            "page": {"url": "https://example.org/a", "referrer": "https://r.example"},
        },
        revenue="19.990",
        occurred_at=datetime(2026, 3, 10, 11, 0, 0, 999_999, tzinfo=UTC),
    )
    found = record(event)
    lib = found["properties"].pop("$lib_version")
    assert lib
    assert found == {
        "event": "payment_completed",
        "properties": {
            "token": "token",
            "time": 1773140400999,
            "distinct_id": "42",
            "$insert_id": str(event.event_id),
            "mp_lib": "python",
            "$device_id": "device-1",
            "$user_id": "42",
            "ip": "203.0.113.7",
            "plan": "größer",
            "note": None,
            "session_id": "s-1",
            "revenue": 19.99,
            "currency": "EUR",
            "page_url": "https://example.org/a",
            "page_referrer": "https://r.example",
            "$current_url": "https://example.org/a",
            "$referrer": "https://r.example",
        },
    }


def test_who() -> None:
    assert record(stored_event(user_id="ada"))["properties"]["distinct_id"] == "ada"
    anonymous = record(stored_event(user_id=None, anonymous_id="d"))["properties"]
    assert anonymous["distinct_id"] == "$device:d"
    assert anonymous["$device_id"] == "d"
    assert "$user_id" not in anonymous
    nobody = record(stored_event(user_id=None))["properties"]
    assert nobody["distinct_id"] == ""
    assert not {"$device_id", "$user_id"} & nobody.keys()


def test_the_address_of_our_server_is_never_the_visitors() -> None:
    assert record(stored_event())["properties"]["ip"] == 0


def test_the_time_is_never_in_the_future_for_that_would_change_the_dedupe_key() -> None:
    event = stored_event(occurred_at=NOW + timedelta(minutes=4), received_at=NOW)
    assert record(event)["properties"]["time"] == 1773144000123


def test_properties_with_names_that_mixpanel_has_taken() -> None:
    event = stored_event(event_data={"time": 5, "time_": 6, "$insert_id": "x", "$ignore": True, "token": "t"})
    properties = record(event)["properties"]
    assert properties["$insert_id"] == str(event.event_id)
    assert properties["token"] == "token"
    assert properties["time"] == 1773144000123
    assert (properties["time_"], properties["time__"]) == (6, 5)
    assert properties["$insert_id_"] == "x"
    assert properties["token_"] == "t"
    assert properties["$ignore_"] is True
    assert "$ignore" not in properties


def test_nested_values_beyond_the_limits_go_as_text() -> None:
    deep = {"a": {"b": {"c": {"d": 1}}}}
    wide = {str(n): n for n in range(300)}
    event = stored_event(
        event_data={
            "fits": {"a": {"b": [1]}},
            "deep": deep,
            "wide": wide,
            "long": list(range(300)),
            "big": ["x" * 9000],
        }
    )
    properties = record(event)["properties"]
    assert properties["fits"] == {"a": {"b": [1]}}
    for name, value in (("deep", deep), ("wide", wide), ("long", list(range(300)))):
        assert json.loads(properties[name]) == value
    assert isinstance(properties["big"], str)


def test_what_mixpanel_would_refuse_is_refused_here_with_a_reason() -> None:
    assert "301 properties" in words(stored_event(event_data={str(n): n for n in range(299)}))
    assert "247" in words(stored_event(user_id="x" * 300))
    assert "bytes" in words(stored_event(event_data={"long": "x" * 1_000_000}))


@pytest.mark.parametrize("name", ["0", "-1", "anonymous", "none", "true", "{}", "<nil>"])
def test_ids_that_name_nobody(name: str) -> None:
    assert repr(name) in words(stored_event(user_id=name))
    assert repr(name) in words(stored_event(user_id=None, anonymous_id=name))


def test_profiles_come_after_the_event_and_counting_operations_last() -> None:
    event = stored_event(
        user_properties={
            "$add": {"logins": 1},
            "$append": {"seen": "home"},
            "$set": {"plan": "pro"},
            "$set_once": {"first": "x"},
            "$unset": {"trial": True},
        }
    )
    found = payloads(event)
    assert [(payload.endpoint, payload.once) for payload in found] == [
        ("import", False),
        ("engage", False),
        ("engage", True),
    ]
    safe, counting = updates(event)
    common = {"$token": "token", "$distinct_id": "ada", "$ip": 0, "$time": 1773144000.123}
    assert safe == {**common, "$set": {"plan": "pro"}, "$set_once": {"first": "x"}, "$unset": ["trial"]}
    assert counting == {**common, "$add": {"logins": 1}, "$append": {"seen": "home"}}


def test_history_does_not_make_a_person_seen_now() -> None:
    old = stored_event(user_properties={"$set": {"a": 1}}, occurred_at=NOW - timedelta(days=30))
    assert updates(old)[0]["$ignore_time"] is True
    fresh = stored_event(user_properties={"$set": {"a": 1}}, occurred_at=NOW - timedelta(hours=1))
    assert "$ignore_time" not in updates(fresh)[0]


def test_nobody_has_no_profile() -> None:
    assert updates(stored_event(user_id=None, user_properties={"$set": {"a": 1}})) == []


def test_identify_joins_two_ids() -> None:
    properties = record(stored_event("$identify", user_id="ada", anonymous_id="d"))["properties"]
    assert (properties["$identified_id"], properties["$anon_id"]) == ("ada", "$device:d")
    assert (properties["$user_id"], properties["$device_id"]) == ("ada", "d")
    only_profile = payloads(stored_event("$identify", user_properties={"$set": {"a": 1}}))
    assert [payload.endpoint for payload in only_profile] == ["engage"]
    assert PROVIDER.render(stored_event("$identify")) == Skipped(SkipReason.EMPTY)
    assert PROVIDER.render(stored_event("$alias")) == Skipped(SkipReason.FILTER)


async def test_the_import_request(client: Client, mixpanel: MixpanelStandIn) -> None:
    mixpanel.project_id = "1234"
    provider = make({"token": mixpanel.token, "url": mixpanel.url, "project_id": "1234"})
    rendered = provider.render(stored_event())
    assert isinstance(rendered, list)
    assert await provider.send(client, rendered) == [Delivered()]
    (request,) = mixpanel.requests
    assert (request.path, request.query) == ("/import", {"strict": "1", "project_id": "1234"})
    assert request.headers["authorization"] == f"Basic {base64.b64encode(b'mixpanel-token:').decode()}"


async def test_the_profile_request(client: Client, mixpanel: MixpanelStandIn) -> None:
    provider = make({"token": mixpanel.token, "url": mixpanel.url})
    rendered = provider.render(stored_event("$identify", user_properties={"$set": {"plan": "pro"}}))
    assert isinstance(rendered, list)
    assert await provider.send(client, rendered) == [Delivered()]
    (request,) = mixpanel.requests
    assert (request.path, request.query["ip"]) == ("/engage", "0")
    assert mixpanel.profiles == {"ada": {"plan": "pro"}}


def test_options() -> None:
    with pytest.raises(ConfigurationError, match="token is missing"):
        make({"token": " "})


# Answers

THREE = [Payload("import", json.dumps({"properties": {"$insert_id": f"i{n}"}}).encode()) for n in range(3)]


def read(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> list[Outcome]:
    return read_answer(Answer(status, headers or {}, json.dumps(body).encode()), THREE)


def test_success() -> None:
    assert read(200, {"code": 200, "num_records_imported": 3, "status": "OK"}) == [Delivered()] * 3


def test_a_smaller_count_is_kept_and_not_repeated_for_ever() -> None:
    taken = read(200, {"code": 200, "num_records_imported": 2, "status": "OK"})
    assert taken == [Delivered()] * 3
    assert isinstance(taken, Counted)
    assert taken.number == 2


@pytest.mark.parametrize(
    "failed",
    [
        {"index": 1, "insert_id": "i1"},
        {"index": 1, "$insert_id": "i1"},
        {"insert_id": "i1"},
        {"$insert_id": "i1"},
        {"index": 99, "$insert_id": "i1"},
    ],
)
def test_the_good_ones_of_a_400_are_stored(failed: dict[str, Any]) -> None:
    body = {
        "code": 400,
        "error": "some data points in the request failed validation",
        "failed_records": [{**failed, "field": "properties.time", "message": "must be a number"}],
        "num_records_imported": 2,
        "status": "Bad Request",
    }
    assert read(400, body) == [Delivered(), Dead("properties.time: must be a number"), Delivered()]


@pytest.mark.parametrize("failed", [None, [], [{"insert_id": "nobody's"}], "x", [3]])
def test_a_400_that_names_no_record_is_to_be_halved(failed: object) -> None:
    body = {"code": 400, "error": "malformed", "failed_records": failed, "status": "Bad Request"}
    assert read(400, body) == [Refused("malformed")] * 3


def test_413_tells_the_limit() -> None:
    body = {
        "code": 413,
        "error": "request exceeds max limit of 2097152 bytes",
        "status": "Request Entity Too Large",
    }
    outcomes = read(413, body)
    assert [type(found) for found in outcomes] == [TooLarge] * 3
    assert isinstance(outcomes[0], TooLarge)
    assert outcomes[0].limit == 2_097_152


def test_429() -> None:
    body = {"code": 429, "error": "Project exceeded rate limits", "status": "Too Many Requests"}
    assert [type(found) for found in read(429, body)] == [Retry] * 3


@pytest.mark.parametrize("body", [{"status": 1, "error": None}, {"code": 200, "status": "OK"}])
def test_both_forms_of_success_of_profiles(body: dict[str, Any]) -> None:
    assert read(200, body) == [Delivered()] * 3


@pytest.mark.parametrize("body", [{"status": 0, "error": "bad"}, {"status": "error", "error": "bad"}])
def test_a_200_with_an_error_inside(body: dict[str, Any]) -> None:
    assert read(200, body) == [Refused("bad")] * 3


def test_json_of_somebody_else() -> None:
    assert [type(found) for found in read(200, {"hello": "world"})] == [Unknown] * 3


def test_what_intake_found_out_goes_to_mixpanels_default_properties() -> None:
    context = {
        "country": "DE",
        "region": "Hamburg",
        "city": "Altona",
        "os": "iOS",
        "browser": "Firefox",
        "browser_version": "127",
        "device": "mobile",
    }
    properties = record(stored_event(context=context))["properties"]
    expected = {
        "mp_country_code": "DE",
        "$region": "Hamburg",
        "$city": "Altona",
        "$os": "iOS",
        "$browser": "Firefox",
        "$browser_version": "127",
        "$device": "mobile",
        "ip": 0,
    }
    assert expected.items() <= properties.items()


def test_what_the_sender_says_in_objects_goes_there_too() -> None:
    context = {
        "location": {"country": "FR"},
        "os": {"name": "Android", "version": "14"},
        "device": {"model": "Pixel", "manufacturer": "Google"},
        "app": {"version": "2.1"},
    }
    properties = record(stored_event(context=context))["properties"]
    expected = {
        "mp_country_code": "FR",
        "$os": "Android",
        "$os_version": "14",
        "$model": "Pixel",
        "$manufacturer": "Google",
        "$app_version_string": "2.1",
    }
    assert expected.items() <= properties.items()
    assert "$device" not in properties


class Collector:
    """A consumer of the official package that keeps what it is given."""

    def send(self, endpoint: str, message: str, *_credentials: object) -> None:
        assert endpoint == "imports"
        self.message = message


@given(event=STORED_EVENTS | SHORT_EVENTS)
def test_the_record_is_as_the_official_builder_makes_it(event: StoredEvent) -> None:
    rendered = PROVIDER.render(event)
    if not isinstance(rendered, list) or rendered[0].endpoint != "import":
        return
    found = json.loads(rendered[0].body)
    properties = found["properties"]
    own = {"token", "distinct_id", "time", "$insert_id", "mp_lib", "$lib_version"}
    others = {name: value for name, value in properties.items() if name not in own}
    collector = Collector()
    official.Mixpanel("token", consumer=collector).import_data(
        None, properties["distinct_id"], found["event"], properties["time"], others
    )
    built = json.loads(collector.message)
    built["properties"]["$insert_id"] = str(event.event_id)
    assert json.dumps(built) == json.dumps(found)
