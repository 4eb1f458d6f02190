"""What became of one event at each destination, as the API says it: each state, and what cannot be told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store.engine import Database
from tests.support.destinations import BOX, call, serving, webhook
from tests.support.events import NOW, make_event, write_events
from tests.support.providers import Fault, GoogleAnalyticsStandIn, WebhookStandIn

RULES = {"exclude": ["debug_*"], "consent": {"purposes": ["ads"], "not_stated": "send"}}
NO = {"consent": {"ads": False}}


@pytest.fixture
async def process(database: Database, client: Client) -> AsyncIterator[Destinations]:
    """One process for the API and the deliveries."""
    made = Destinations(database, [], client, owner="one", box=BOX)
    yield made
    await made.close()


@pytest.fixture
async def api(
    database: Database, project: Project, process: Destinations
) -> AsyncIterator[httpx.AsyncClient]:
    async with await serving(database, project, process) as api:
        yield api


async def fates(api: httpx.AsyncClient, name: str = "it") -> dict[str, tuple[Any, ...]]:
    """State, reason and certainty at a destination, by what the events call themselves."""
    listed = await call(api, "GET", "/deliveries/events?" + "&".join(f"seq={n}" for n in range(1, 21)))
    return {
        event["event_type"]: (fate["state"], fate["reason"], fate["certain"])
        for event in listed["events"]
        for fate in event["destinations"]
        if fate["destination"] == name
    }


async def test_every_state_of_an_event_is_told_with_its_reason(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    process: Destinations,
    receiver: WebhookStandIn,
) -> None:
    await write_events(database, [make_event(project, "early", user_id="eve")])
    await call(api, "POST", "/destinations", webhook(receiver, name="it", rules=RULES), expect=201)
    bad = {"bad": True}
    await write_events(
        database,
        [
            make_event(project, "fine"),
            make_event(project, "debug_x"),
            make_event(project, "refused", user_id="bob", event_data=bad),
            make_event(project, "looked_at", user_id="cyd", event_data=bad),
            make_event(project, "without_consent", context=NO),
        ],
    )
    assert (await fates(api))["fine"] == ("pending", None, True)
    await process.flush()
    body = {"destination": "it", "event_type": "looked_at", "all": True, "reason": "a test order"}
    await call(api, "POST", "/deliveries/dead-letters/discard", body)
    receiver.broken = Fault("reset")
    await write_events(database, [make_event(project, "waits")])
    await process.flush()
    found = await fates(api)
    state, words, certain = found.pop("waits")
    assert (state, certain) == ("parked", True)
    assert words
    state, words, _ = found.pop("refused")
    assert state == "dead"
    assert "bad is bad" in words
    assert found == {
        "early": ("before_start", None, True),
        "fine": ("delivered", None, True),
        "debug_x": ("skipped", "filter", True),
        "looked_at": ("discarded", "a test order", True),
        "without_consent": ("skipped", "consent", True),
    }
    [parked] = [
        fate
        for event in (await call(api, "GET", "/deliveries/events?seq=7"))["events"]
        for fate in event["destinations"]
    ]
    assert parked["attempts"] == 1
    assert parked["retry_at"] is not None
    for impossible in (0, 2**63):
        await call(api, "GET", f"/deliveries/events?seq=7&seq={impossible}", expect=422)


async def test_of_two_events_of_a_type_and_hour_the_rules_tell_which_was_skipped_until_they_change(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    process: Destinations,
    receiver: WebhookStandIn,
) -> None:
    start = {"name": "it", "rules": RULES, "start": "beginning"}
    await call(api, "POST", "/destinations", webhook(receiver, **start), expect=201)
    await write_events(
        database,
        [make_event(project, "page_view"), make_event(project, "page_view", context=NO)],
    )
    await process.flush()

    async def both() -> list[dict[str, Any]]:
        answer = await call(api, "GET", "/deliveries/events?seq=1&seq=2")
        return [event["destinations"][0] for event in answer["events"]]

    sent, skipped = await both()
    assert (sent["state"], sent["certain"]) == ("delivered", True)
    assert (skipped["state"], skipped["reason"], skipped["certain"]) == ("skipped", "consent", True)

    # By these the second would be sent: it is said to have been, and that this is by the rules of now.
    await call(api, "PATCH", "/destinations/it", {"rules": {"exclude": ["debug_*"]}})
    assert [(each["state"], each["certain"]) for each in await both()] == [("delivered", False)] * 2
    # By these it would end as none of the two has: which one it was stays open.
    await call(api, "PATCH", "/destinations/it", {"rules": {"exclude": ["page_view"]}})
    for each in await both():
        assert each["state"] == "open"
        assert each["possible"] == ["delivered", "skipped: consent"]


async def test_an_event_whose_only_attempt_got_no_answer_is_unknown(
    database: Database, project: Project, api: httpx.AsyncClient, process: Destinations
) -> None:
    async with GoogleAnalyticsStandIn() as google:
        options = {
            "measurement_id": google.measurement_id,
            "api_secret": google.api_secret,
            "url": google.url,
        }
        body = {"kind": "ga4", "name": "it", "options": options, "start": "beginning"}
        await call(api, "POST", "/destinations", body, expect=201)
        now = datetime.now(UTC)
        google.faults.append(Fault("reset"))
        await write_events(database, [make_event(project, "lost", occurred_at=now)])
        await process.flush()
        await write_events(
            database, [make_event(project, "fine", user_id="bob", occurred_at=now + timedelta(seconds=1))]
        )
        await process.flush()
        found = await fates(api)
    assert found["lost"] == ("unknown", None, True)
    assert found["fine"][0] in ("delivered", "pending")


async def test_events_that_arrived_in_sandbox_mode_are_told_apart(
    database: Database, project: Project, client: Client, receiver: WebhookStandIn
) -> None:
    config = DestinationConfig("webhook", {"url": f"{receiver.url}/hook", "secret": receiver.secret})
    for sandbox in (True, False):
        process = Destinations(database, [config], client, owner="one", box=BOX, sandbox_mode=sandbox)
        await process.ensure()
        late = NOW + timedelta(hours=0 if sandbox else 3)
        await write_events(database, [make_event(project, "tried" if sandbox else "meant", occurred_at=late)])
        await process.flush()
        async with await serving(database, project, process) as api:
            found = await fates(api, "webhook")
        await process.close()
    assert found["tried"] == ("skipped", "sandbox", True)
    assert found["meant"] == ("delivered", None, True)
    assert not receiver.repeated
