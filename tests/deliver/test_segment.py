"""Segment and RudderStack: how events are rendered and answers read."""

from __future__ import annotations

import json
from typing import Any

from analytics_api.deliver.providers.registry import make_provider
from analytics_api.deliver.providers.segment.render import render
from analytics_api.domain.outcome import Dead, Delivered, Paused, Refused, Skipped, SkipReason, Unknown
from analytics_api.outbound.connections import Client
from tests.support.providers import Fault, SegmentStandIn
from tests.support.stored import stored_event


def messages_of(event_type: str = "page_view", **given: Any) -> list[dict[str, Any]]:
    rendered = render(stored_event(event_type, **given))
    assert isinstance(rendered, list), rendered
    return [json.loads(payload.body) for payload in rendered]


def test_track() -> None:
    event = stored_event(
        "Song Played",
        anonymous_id="visitor-1",
        event_data={"title": "x"},
        context={
            "ip": "192.0.2.1",
            "user_agent": "agent/1",
            "os": "iOS",
            "device": "mobile",
            "country": "DE",
            "page": {"url": "https://example.org/a"},
            "source": {"channel": "paid", "utm_source": "news", "utm_campaign": "spring"},
        },
        revenue="5",
    )
    rendered = render(event)
    assert isinstance(rendered, list)
    assert [json.loads(payload.body) for payload in rendered] == [
        {
            "type": "track",
            "messageId": str(event.event_id),
            "userId": "ada",
            "anonymousId": "visitor-1",
            "timestamp": "2026-03-10T12:00:00.123456+00:00",
            "event": "Song Played",
            "properties": {"title": "x", "revenue": 5.0, "currency": "EUR"},
            "context": {
                "ip": "192.0.2.1",
                "userAgent": "agent/1",
                "os": {"name": "iOS"},
                "device": {"type": "mobile"},
                "location": {"country": "DE"},
                "page": {"url": "https://example.org/a"},
                "source": {"channel": "paid", "utm_source": "news", "utm_campaign": "spring"},
                "campaign": {"source": "news", "name": "spring"},
                "library": {"name": "analytics-api"},
            },
        }
    ]


def test_user_properties_go_ahead_as_identify_with_an_id_of_their_own() -> None:
    identify, track = messages_of(
        user_properties={"$set": {"plan": "pro"}, "$unset": {"trial": True}, "$add": {"logins": 1}}
    )
    assert (identify["type"], track["type"]) == ("identify", "track")
    assert identify["traits"] == {"plan": "pro", "trial": None}
    assert identify["context"]["user_property_changes"] == {"$add": {"logins": 1}}
    assert "user_property_changes" not in track["context"]
    assert identify["messageId"] != track["messageId"]


def test_identify() -> None:
    (message,) = messages_of("$identify", anonymous_id="visitor-1")
    assert (message["type"], message["userId"], message["anonymousId"]) == ("identify", "ada", "visitor-1")
    assert render(stored_event("$identify")) == Skipped(SkipReason.EMPTY)


def test_nobody_and_aliases() -> None:
    assert render(stored_event(user_id=None)) == Skipped(SkipReason.NO_PERSON)
    assert render(stored_event("$alias")) == Skipped(SkipReason.FILTER)


def test_more_than_32_kilobytes() -> None:
    rendered = render(stored_event(event_data={"text": "x" * 32_000}))
    assert isinstance(rendered, Dead)
    assert "32000" in rendered.words


async def one(client: Client, segment: SegmentStandIn) -> object:
    provider = make_provider("segment", {"url": segment.url, "write_key": segment.write_key})
    rendered = provider.render(stored_event())
    assert isinstance(rendered, list)
    (outcome,) = await provider.send(client, rendered)
    return outcome


async def test_a_source_that_is_switched_off_pauses(client: Client) -> None:
    async with SegmentStandIn(rudder=True) as rudder:
        rudder.disabled = True
        outcome = await one(client, rudder)
    assert isinstance(outcome, Paused)
    assert "disabled" in outcome.words


async def test_both_spellings_of_success_and_nothing_else(client: Client) -> None:
    async with SegmentStandIn() as segment, SegmentStandIn(rudder=True) as rudder:
        assert await one(client, segment) == Delivered()
        assert await one(client, rudder) == Delivered()
        segment.faults.append(Fault("status", status=200, body={"success": False}))
        assert isinstance(await one(client, segment), Unknown)
        segment.faults.append(Fault("status", status=400, body={"message": "malformed"}))
        assert isinstance(await one(client, segment), Refused)
