"""GA4: names and values that the Measurement Protocol takes, one client a request, at most once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.deliver.providers.ga4.names import RESERVED_EVENTS, usable_name
from analytics_api.deliver.providers.ga4.render import render
from analytics_api.deliver.providers.registry import make_provider
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Dead, Delivered, Skipped, SkipReason
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store.engine import Database
from tests.support.delivering import MovableClock, destination, make_reader, overview, run_until_quiet, total
from tests.support.destinations import call
from tests.support.events import make_event, write_events
from tests.support.providers import Fault, GoogleAnalyticsStandIn
from tests.support.stored import stored_event


def rendered_of(event: StoredEvent) -> tuple[dict[str, Any], dict[str, Any]]:
    """Head and event."""
    rendered = render(event)
    assert isinstance(rendered, list), rendered
    (payload,) = rendered
    return json.loads(payload.endpoint), json.loads(payload.body)


def test_an_event() -> None:
    head, event = rendered_of(
        stored_event(
            "Song Played",
            anonymous_id="visitor-1",
            session_id="1773144000",
            event_data={"title": "x", "Long Name": True, "nested": {"a": 1}, "none": None},
            context={"country": "DE", "city": "Hamburg", "device": "mobile", "page": {"url": "u" * 200}},
            user_properties={"$set": {"plan": "pro"}},
            revenue="9.99",
        )
    )
    assert head == {
        "client_id": "visitor-1",
        "user_id": "ada",
        "user_properties": {"plan": {"value": "pro"}},
        "user_location": {"country_id": "DE", "city": "Hamburg"},
        "device": {"category": "mobile"},
    }
    assert event == {
        "name": "song_played",
        "timestamp_micros": 1773144000123456,
        "params": {
            "engagement_time_msec": 1,
            "session_id": "1773144000",
            "value": 9.99,
            "currency": "EUR",
            "page_location": "u" * 100,
            "title": "x",
            "long_name": "true",
            "nested": '{"a":1}',
        },
    }


def test_a_user_without_a_browser_is_always_the_same_client() -> None:
    first, second = stored_event(), stored_event()
    assert rendered_of(first)[0]["client_id"] == rendered_of(second)[0]["client_id"] == str(first.person_id)


@pytest.mark.parametrize(
    ("given_name", "usable"),
    {
        "page_view": "page_view",
        "Song Played": "song_played",
        "session_start": "app_session_start",
        "_x": "x",
        "ga_x": "app_ga_x",
        "9 lives": "app_9_lives",
        "購入": None,
        "Größe": "gr_e",
    }.items(),
)
def test_names(given_name: str, usable: str | None) -> None:
    assert usable_name(given_name, RESERVED_EVENTS) == usable


@given(st.text(max_size=30))
def test_a_name_that_comes_out_is_one_that_google_takes(name: str) -> None:
    usable = usable_name(name, RESERVED_EVENTS)
    if usable is not None:
        assert usable[0].isascii()
        assert usable[0].isalpha()
        assert usable.replace("_", "a").isalnum()
        assert usable.isascii()
        assert usable not in RESERVED_EVENTS
        assert not usable.startswith(("_", "firebase_", "ga_", "google_", "gtag."))


def test_no_more_than_25_parameters_and_user_properties() -> None:
    many = {f"p{n}": n for n in range(40)}
    head, event = rendered_of(stored_event(event_data=many, user_properties={"$set": many}))
    assert len(event["params"]) == 25
    assert event["params"]["engagement_time_msec"] == 1
    assert len(head["user_properties"]) == 25


def test_events_that_have_no_name_or_nobody() -> None:
    assert isinstance(render(stored_event("購入")), Dead)
    assert isinstance(render(stored_event("x" * 41)), Dead)
    assert isinstance(render(stored_event(user_id="x" * 257)), Dead)
    assert render(stored_event(user_id=None)) == Skipped(SkipReason.NO_PERSON)
    assert render(stored_event("$identify")) == Skipped(SkipReason.EMPTY)


def options_of(google: GoogleAnalyticsStandIn, **more: str) -> dict[str, str]:
    return {
        "url": google.url,
        "measurement_id": google.measurement_id,
        "api_secret": google.api_secret,
        **more,
    }


async def test_older_than_72_hours_is_refused_and_the_others_go(client: Client) -> None:
    now = datetime.now(UTC)
    async with GoogleAnalyticsStandIn() as google:
        provider = make_provider("ga4", options_of(google))
        payloads = []
        for age in (timedelta(hours=71), timedelta(hours=73), timedelta(0)):
            rendered = provider.render(stored_event(occurred_at=now - age))
            assert isinstance(rendered, list)
            payloads += rendered
        first, second, third = await provider.send(client, payloads)
        assert len(google.stored) == 2
        only_old = await provider.send(client, [payloads[1]])
        assert len(google.requests) == 1
    assert (first, third) == (Delivered(), Delivered())
    assert isinstance(second, Dead)
    assert "72 hours" in second.words
    assert only_old == [second]


async def test_one_client_a_request_and_a_lost_answer_is_unknown_not_sent_again(
    database: Database, project: Project, client: Client, clock: MovableClock
) -> None:
    async with GoogleAnalyticsStandIn() as google:
        to = destination("ga4", options_of(google, old_events="send"))
        reader = await make_reader(database, project, to, client, clock, lanes=1)
        events = [make_event(project, user_id=f"u{n % 3}", event_data={"n": n}) for n in range(12)]
        await write_events(database, events)
        google.faults.append(Fault("reset", taken=True))
        await run_until_quiet(reader, clock)
        assert not google.dropped
        assert len(google.stored) == 12
        assert all(event["user_id"] == f"u{event['params']['n'] % 3}" for event in google.stored)
    found = await overview(database, project, "ga4")
    assert (total(found, "unknown"), total(found, "delivered"), found.parked) == (4, 8, 0)


async def test_what_is_set_last_is_said_last_though_each_value_takes_a_request_of_its_own(
    database: Database, project: Project, client: Client, clock: MovableClock
) -> None:
    async with GoogleAnalyticsStandIn() as google:
        to = destination("ga4", options_of(google, old_events="send"))
        reader = await make_reader(database, project, to, client, clock)
        plans = ["free", "pro", "free", "free", "team", "free", "pro"]
        events = [
            make_event(project, event_data={"n": n}, user_properties={"$set": {"plan": plan}})
            for n, plan in enumerate(plans)
        ]
        await write_events(database, events)
        await run_until_quiet(reader, clock)
        assert [event["params"]["n"] for event in google.stored] == list(range(len(plans)))
        (properties,) = google.user_properties.values()
        assert properties["plan"]["value"] == "pro"


async def test_google_is_asked_when_it_is_saved_and_stores_nothing(
    api: httpx.AsyncClient,
) -> None:
    async with GoogleAnalyticsStandIn() as google:
        body = {"kind": "ga4", "options": options_of(google)}
        google.complaints = [
            {
                "fieldPath": "measurement_id",
                "description": "Measurement ID is not valid.",
                "validationCode": "VALUE_INVALID",
            }
        ]
        refused = await call(api, "POST", "/destinations", body, expect=422)
        assert refused["detail"] == "options: ga4 says: Measurement ID is not valid."
        google.complaints = []
        added = await call(api, "POST", "/destinations", body, expect=201)
        assert added["secrets_set"] == ["api_secret"]
        assert not google.stored
    # Google away: that is no reason to refuse.
    await call(api, "PATCH", "/destinations/ga4", {"options": {"old_events": "send"}})
