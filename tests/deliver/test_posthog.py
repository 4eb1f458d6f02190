"""PostHog: how events are rendered and answers read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analytics_api.deliver.providers.posthog.render import render
from analytics_api.deliver.providers.registry import make_provider
from analytics_api.domain.outcome import Dead, Outcome, Refused, Retry, Skipped, SkipReason
from analytics_api.outbound.connections import Client
from tests.support.providers import Fault, PostHogStandIn
from tests.support.stored import stored_event


def event_of(**given: Any) -> dict[str, Any]:
    rendered = render(stored_event(**given))
    assert isinstance(rendered, list), rendered
    (payload,) = rendered
    found: dict[str, Any] = json.loads(payload.body)
    return found


def test_an_event() -> None:
    given = stored_event(
        "purchase",
        user_id="ada",
        session_id="s-1",
        event_data={"sku": "a"},
        context={
            "country": "DE",
            "city": "Hamburg",
            "browser": "Firefox",
            "os": "Linux",
            "device": "desktop",
        },
        revenue="9.99",
    )
    rendered = render(given)
    assert isinstance(rendered, list)
    assert json.loads(rendered[0].body) == {
        "uuid": str(given.event_id),
        "event": "purchase",
        "distinct_id": "ada",
        "timestamp": "2026-03-10T12:00:00.123456+00:00",
        "properties": {
            "sku": "a",
            "session_id": "s-1",
            "revenue": 9.99,
            "currency": "EUR",
            "$geoip_country_code": "DE",
            "$geoip_city_name": "Hamburg",
            "$browser": "Firefox",
            "$os": "Linux",
            "$device_type": "desktop",
            "$geoip_disable": True,
            "$lib": "analytics-api",
        },
    }


def test_user_properties_and_what_posthog_has_no_word_for() -> None:
    properties = event_of(
        user_properties={
            "$set": {"plan": "pro"},
            "$set_once": {"first": 1},
            "$unset": {"trial": True},
            "$add": {"logins": 1},
        }
    )["properties"]
    assert properties["$set"] == {"plan": "pro"}
    assert properties["$set_once"] == {"first": 1}
    assert properties["$unset"] == ["trial"]
    assert properties["user_property_changes"] == {"$add": {"logins": 1}}


def test_an_anonymous_visitor_gets_no_profile_and_a_user_does() -> None:
    anonymous = event_of(user_id=None, anonymous_id="visitor-1")
    assert anonymous["distinct_id"] == "visitor-1"
    assert anonymous["properties"]["$process_person_profile"] is False
    assert "$process_person_profile" not in event_of()["properties"]
    with_properties = event_of(user_id=None, anonymous_id="visitor-1", user_properties={"$set": {"a": 1}})
    assert "$process_person_profile" not in with_properties["properties"]


def test_identify_joins_both_ids() -> None:
    event = event_of(event_type="$identify", user_id="ada", anonymous_id="visitor-1")
    assert (event["distinct_id"], event["properties"]["$anon_distinct_id"]) == ("ada", "visitor-1")
    assert render(stored_event("$identify")) == Skipped(SkipReason.EMPTY)


def test_a_session_that_is_a_uuid_is_posthogs() -> None:
    session = "018f3f4e-0000-7000-8000-000000000001"
    assert event_of(session_id=session)["properties"]["$session_id"] == session


def test_a_property_with_a_name_of_posthogs_own_gets_an_underscore() -> None:
    event = event_of(event_data={"$set": {"plan": "free"}, "token": "t", "token_": 1, "distinct_id": "x"})
    properties = event["properties"]
    assert "$set" not in properties
    assert properties["$set_"] == {"plan": "free"}
    assert (properties["token__"], properties["token_"]) == ("t", 1)
    assert (event["distinct_id"], properties["distinct_id_"]) == ("ada", "x")


def test_nobody() -> None:
    assert render(stored_event(user_id=None)) == Skipped(SkipReason.NO_PERSON)
    assert render(stored_event("$alias")) == Skipped(SkipReason.FILTER)


@pytest.mark.parametrize("user_id", ["Anonymous", "null", " ", "0", "x" * 201])
def test_ids_that_posthog_joins_nobody_under(user_id: str) -> None:
    rendered = render(stored_event(user_id=user_id))
    assert isinstance(rendered, Dead)
    assert "the id" in rendered.words


def test_more_than_a_megabyte() -> None:
    rendered = render(stored_event(event_data={"text": "x" * 1_000_000}))
    assert isinstance(rendered, Dead)
    assert "1000000" in rendered.words


@pytest.mark.parametrize(("status", "expected"), [(400, Refused), (429, Retry), (503, Retry)])
async def test_answers(client: Client, status: int, expected: type[Outcome]) -> None:
    async with PostHogStandIn() as posthog:
        posthog.faults.append(Fault("status", status=status))
        provider = make_provider("posthog", {"url": posthog.url, "api_key": posthog.api_key})
        rendered = provider.render(stored_event())
        assert isinstance(rendered, list)
        (outcome,) = await provider.send(client, rendered)
    assert type(outcome) is expected
