"""What enrichment adds to an event on its way through intake, for public callers and for servers. No database is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.domain.times import PUBLIC_REACH
from analytics_api.ingest.draft import Reception
from analytics_api.ingest.enrichment.countries import Database
from analytics_api.ingest.enrichment.visitors import Enricher
from analytics_api.ingest.pipeline import draft_event, run_steps
from tests.support.mmdb import write_mmdb

PROJECT = Project(
    1, "default", "Default", UUID("6d1b6c7e-8f0a-4b52-9a55-0d3f5f7f2c11"), ZoneInfo("UTC"), "EUR", 1
)
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ADDRESS = "133.11.0.1"
OTHER_ADDRESS = "200.160.2.3"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HEADLESS = (
    "Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36"
)

PUBLIC = Reception(
    PROJECT, False, NOW, timedelta(), PUBLIC_REACH, keep_pii=False, ip=ADDRESS, user_agent=FIREFOX
)
SERVER = Reception(PROJECT, True, NOW, timedelta(), None, keep_pii=False, ip=ADDRESS, user_agent="python/3")


def take(
    context: dict[str, Any] | None, reception: Reception = PUBLIC
) -> tuple[NewEvent, dict[str, Any], list[str]]:
    """The event, its stored context and the warnings for its sender."""
    draft = draft_event(json.dumps({"event_type": "page_view", "context": context}).encode(), 0, 65_536)
    event = run_steps(draft, reception)
    return event, json.loads(event.context), [warning.text for warning in draft.warnings]


def test_a_browser_is_told_by_its_request() -> None:
    event, context, warnings = take(None)
    assert context == {
        "browser": "Firefox",
        "browser_version": "127",
        "os": "Linux",
        "device": "desktop",
        "country": "JP",
    }
    assert not event.is_bot
    assert warnings == []


def test_a_server_says_nothing_about_its_users() -> None:
    event, context, _ = take({"locale": "de"}, SERVER)
    assert context == {"locale": "de"}
    assert not event.is_bot


def test_a_server_may_state_the_visitor() -> None:
    _, context, _ = take({"ip": OTHER_ADDRESS, "user_agent": IPHONE}, SERVER)
    assert context == {
        "browser": "Mobile Safari",
        "browser_version": "17",
        "os": "iOS",
        "device": "mobile",
        "country": "BR",
    }
    assert take({"user_agent": IPHONE}, SERVER)[1].get("country") is None
    assert take({"ip": OTHER_ADDRESS}, SERVER)[1] == {"country": "BR"}


def test_what_the_sender_says_itself_stays() -> None:
    stated = {"browser": "Kiosk", "os": {"family": "KioskOS"}, "country": "DE", "device": {"model": "K1"}}
    _, context, _ = take(dict(stated))
    assert context == {**stated, "browser_version": "127"}


@pytest.mark.parametrize("keep_pii", [False, True])
@pytest.mark.parametrize("stated", [False, True])
def test_address_and_user_agent_are_kept_only_where_that_is_switched_on(stated: bool, keep_pii: bool) -> None:
    context = {"ip": OTHER_ADDRESS, "user_agent": IPHONE} if stated else {}
    event, kept, warnings = take(context, replace(PUBLIC, keep_pii=keep_pii))
    row = repr(event)
    assert warnings == []
    for planted in (OTHER_ADDRESS, IPHONE) if stated else (ADDRESS, FIREFOX):
        assert (planted in row) is keep_pii
    assert kept["country"] == ("BR" if stated else "JP")


@pytest.mark.parametrize(("agent", "name"), [(GOOGLEBOT, "Googlebot"), (HEADLESS, "HeadlessChrome")])
@pytest.mark.parametrize("stated", [False, True])
def test_bots_are_marked_and_kept(agent: str, name: str, stated: bool) -> None:
    if stated:
        event, context, _ = take({"user_agent": agent}, SERVER)
    else:
        event, context, _ = take(None, replace(PUBLIC, user_agent=agent))
    assert event.is_bot
    assert context["bot"] == name


@pytest.mark.parametrize(
    "agent", ["curl/8.5.0", "okhttp/4.12.0", "python-requests/2.31", "PostmanRuntime/7.39"]
)
def test_a_program_that_sends_events_is_no_bot_but_a_visitor_that_came_with_it_is(agent: str) -> None:
    event, context, _ = take(None, replace(PUBLIC, user_agent=agent))
    assert not event.is_bot
    assert "bot" not in context
    assert take({"user_agent": agent})[0].is_bot


@pytest.mark.parametrize("agent", [None, "", "\xff" * 70_000])
def test_strange_user_agents(agent: str | None) -> None:
    event, context, _ = take(None, replace(PUBLIC, user_agent=agent))
    assert not event.is_bot
    assert context["country"] == "JP"


def test_odd_values_of_the_context_are_no_visitor() -> None:
    event, context, _ = take({"ip": ["8.8.8.8"], "user_agent": {"a": 1}}, SERVER)
    assert context == {}
    assert not event.is_bot


def test_a_trusted_edge_knows_the_country_better() -> None:
    assert take(None, replace(PUBLIC, edge_country="CH"))[1]["country"] == "CH"
    # It speaks of the connection, not of an address that the event names.
    assert take({"ip": OTHER_ADDRESS}, replace(PUBLIC, edge_country="CH"))[1]["country"] == "BR"


def test_region_and_city_of_a_better_database(tmp_path: Path) -> None:
    path = tmp_path / "cities.mmdb"
    record = {
        "country": {"iso_code": "BR"},
        "subdivisions": [{"names": {"en": "São Paulo"}}],
        "city": {"names": {"en": "Campinas"}},
    }
    path.write_bytes(write_mmdb(record))
    reception = replace(PUBLIC, enricher=Enricher(Database(path)), ip=OTHER_ADDRESS, user_agent=None)
    assert take(None, reception)[1] == {"country": "BR", "region": "São Paulo", "city": "Campinas"}
    assert take(None, replace(reception, ip="10.0.0.1"))[1] == {}


def test_the_source_of_a_page_view() -> None:
    page = {"url": "https://example.com/?utm_source=fb&utm_medium=cpc", "referrer": "https://l.facebook.com/"}
    expected = {
        "channel": "paid",
        "site": "Facebook",
        "referrer_host": "l.facebook.com",
        "utm_source": "fb",
        "utm_medium": "cpc",
    }
    assert take({"page": page})[1]["source"] == expected
    assert take({"page": page}, SERVER)[1]["source"] == expected
    assert take(page)[1]["source"] == expected


@pytest.mark.parametrize(
    "context",
    [
        {"utm_source": "letter", "utm_medium": "email", "utm_campaign": "may"},
        {"campaign": {"source": "letter", "medium": "email", "name": "may"}},
        {"page": {"path": "/"}, "campaign": {"source": "letter", "medium": "email", "name": "may", "id": 7}},
    ],
)
def test_a_campaign_stated_beside_the_page(context: dict[str, Any]) -> None:
    assert take(context)[1]["source"] == {
        "channel": "email",
        "site": "letter",
        "utm_source": "letter",
        "utm_medium": "email",
        "utm_campaign": "may",
    }


@pytest.mark.parametrize("context", [{}, {"page": {"path": "/"}}, {"page": "home"}, {"campaign": {"id": 1}}])
def test_without_a_page_there_is_no_source(context: dict[str, Any]) -> None:
    assert "source" not in take(context)[1]


def test_a_stated_source_is_kept_when_it_is_one() -> None:
    page = {"url": "https://example.com/", "referrer": "https://www.google.com/"}
    stated = {"channel": "affiliate", "site": "Partner"}
    assert take({"source": stated, "page": page})[1]["source"] == stated
    _, context, warnings = take({"source": "app", "page": page})
    assert context["source"]["channel"] == "search"
    assert len(warnings) == 1
    assert warnings[0].startswith(
        "context.source was not kept: send an object whose channel is one of affiliate,"
    )


def test_events_of_one_visitor_do_not_share_what_they_store() -> None:
    first = take({"page": {"url": "https://example.com/", "referrer": ""}, "time_clamped": 1})[1]
    second = take({"page": {"url": "https://example.com/", "referrer": ""}})[1]
    assert "time_clamped" in first
    assert "time_clamped" not in second


@pytest.mark.parametrize(
    ("context", "path"),
    [
        ({"page": {"url": "https://shop.example/gr%C3%B6%C3%9Fe/?q=1#top"}}, "/gr%C3%B6%C3%9Fe/"),
        ({"page": {"url": "https://shop.example"}}, "/"),
        ({"page": {"url": "/cart?step=2", "title": "Cart"}}, "/cart"),
        ({"url": "https://shop.example/top"}, "/top"),
        ({"page": {"url": "https://shop.example/a", "path": "/said"}}, "/said"),
        ({"page": {"url": "shop.example/a"}}, None),
        ({"page": {"url": "https://[shop/a"}}, None),
        ({"page": {"url": f"https://shop.example/{'a' * 2000}"}}, None),
        ({"page": {"url": 5}}, None),
        ({"page": "https://shop.example/a"}, None),
    ],
)
def test_a_page_view_has_the_path_of_its_address(context: dict[str, Any], path: str | None) -> None:
    _, stored, _ = take(context)
    page = stored.get("page")
    assert (page.get("path") if isinstance(page, dict) else None) == path


def test_what_a_page_view_says_of_itself_and_other_events_stay() -> None:
    context = {"page": {"url": "https://shop.example/a"}}
    for event in (
        {"event_type": "page_view", "event_data": {"path": "/said"}, "context": context},
        {"event_type": "signup_started", "context": context},
    ):
        stored = run_steps(draft_event(json.dumps(event).encode(), 0, 65_536), PUBLIC)
        assert "path" not in json.loads(stored.context)["page"]
