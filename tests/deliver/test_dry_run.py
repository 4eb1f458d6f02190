"""A dry run says what delivery then does, and does nothing itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.project import KeyKind, Project
from analytics_api.outbound.connections import Client
from analytics_api.store.engine import Database
from tests.support.destinations import BOX, call, serving, webhook
from tests.support.events import NOW, make_event, write_events
from tests.support.providers import (
    AmplitudeStandIn,
    MixpanelStandIn,
    PostHogStandIn,
    SegmentStandIn,
    StandIn,
    WebhookStandIn,
)

Records = Callable[[Any], list[Any]]

KINDS: dict[str, tuple[Callable[[], StandIn], Callable[[Any], dict[str, str]], Records]] = {
    "amplitude": (
        AmplitudeStandIn,
        lambda it: {"api_key": it.api_key, "url": it.url},
        lambda body: body["events"],
    ),
    "mixpanel": (MixpanelStandIn, lambda it: {"token": it.token, "url": it.url}, lambda body: body),
    "posthog": (
        PostHogStandIn,
        lambda it: {"api_key": it.api_key, "url": it.url},
        lambda body: body["batch"],
    ),
    "segment": (
        SegmentStandIn,
        lambda it: {"write_key": it.write_key, "url": it.url},
        lambda body: body["batch"],
    ),
    "webhook": (WebhookStandIn, lambda it: {"url": f"{it.url}/hook", "secret": it.secret}, lambda body: body),
}
RULES = {
    "include": ["page_view", "purchase", "$identify", "api_*"],
    "exclude": ["*quest"],
    "consent": {"purposes": ["analytics"], "not_stated": "send"},
    "mapping": [
        {"events": ["purchase"], "rename_event": "Bought", "set": {"user_properties.buyer": True}},
        {"rename": {"context.page.url": "event_data.place"}, "drop": ["event_data.secret"]},
    ],
}


def make_events(project: Project) -> list[Any]:
    no = {"consent": {"categoryPreferences": {"analytics": False}}}
    page = {"page": {"url": "https://example.org/a"}}
    bad = {"secret": 1, "n": 2}
    given: list[dict[str, Any]] = [
        {"event_data": bad, "context": page},
        {
            "event_type": "purchase",
            "event_data": {"n": 1},
            "context": {"consent": {"analytics": True}},
        },
        {"event_type": "purchase", "context": no},
        {"event_type": "api_request"},
        {"event_type": "other"},
        {
            "event_type": "$identify",
            "anonymous_id": "b-1",
            "user_properties": {"$set": {"plan": "pro"}},
        },
        {"user_id": None, "event_data": {"n": 3}},
        {"user_id": "undefined", "event_data": {"n": 4}},
    ]
    return [
        make_event(project, occurred_at=NOW + timedelta(seconds=n), **each) for n, each in enumerate(given)
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_it_says_is_what_is_sent_and_counted_afterwards(
    database: Database, project: Project, client: Client, kind: str
) -> None:
    make, options, records = KINDS[kind]
    await write_events(database, make_events(project))
    async with make() as stand_in:
        process = Destinations(database, [], client, owner="one", box=BOX)
        async with await serving(database, project, process) as api:
            body = {
                "kind": kind,
                "name": "it",
                "options": options(stand_in),
                "start": "beginning",
                "rules": RULES,
            }
            await call(api, "POST", "/destinations", body, expect=201)
            tried = await call(api, "POST", "/destinations/it/dry-run", {})
            assert not stand_in.requests
            reports = {report.destination: report for report in await process.flush()}
        await process.close()
        sent = [record for request in stand_in.requests for record in records(json.loads(request.body))]
    secrets = [value for name, value in options(stand_in).items() if name != "url"]
    assert not any(secret in json.dumps(tried) for secret in secrets)
    masked = json.dumps(sent)
    for secret in secrets:
        masked = masked.replace(secret, "***")
    said = [payload["body"] for event in tried["events"] for payload in event["payloads"]]
    assert _sorted(said) == _sorted(json.loads(masked))
    report = reports["it"]
    assert (tried["send"], sum(tried["skip"].values()), tried["dead"]) == (
        report.delivered,
        report.skipped,
        report.dead,
    )
    assert tried["checked"] == len(tried["events"]) == 8
    outcomes = {(event["event_type"], event["outcome"], event["reason"]) for event in tried["events"]}
    assert {
        ("purchase", "skip", "consent"),
        ("api_request", "skip", "filter"),
        ("other", "skip", "filter"),
    } <= outcomes
    assert {event["sent_as"] for event in tried["events"]} >= {None, "Bought", "page_view"}


def _sorted(records: list[Any]) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True) for record in records)


async def test_other_rules_other_events_and_nothing_changes(
    database: Database, project: Project, api: httpx.AsyncClient, receiver: WebhookStandIn
) -> None:
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning", rules=RULES), expect=201)
    events = [make_event(project, ("page_view", "rare")[n % 10 == 0], event_data={"n": n}) for n in range(30)]
    await write_events(database, events)
    before = await call(api, "GET", "/destinations")

    async def tried(**body: Any) -> Any:
        return await call(api, "POST", "/destinations/webhook/dry-run", body)

    newest = await tried(limit=3)
    assert [event["payloads"][0]["body"]["event_data"]["n"] for event in newest["events"]] == [29, 28, 27]
    assert newest["rules"] == RULES
    assert (await tried(event_type="rare"))["skip"] == {"filter": 3}
    none = await tried(event_type="rare", rules={})
    assert (none["checked"], none["send"], none["rules"]) == (3, 3, {})
    sample = await tried(rules={"sample": {"percent": 1e-6}})
    assert (sample["skip"], sample["send"]) == ({"sampled": 30}, 0)
    assert (await tried(event_type="never"))["checked"] == 0
    assert await call(api, "GET", "/destinations") == before
    assert not receiver.requests


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("nothing", {}, 404, "has no destination 'nothing'"),
        ("amplitude", {"limit": 0}, 422, "limit"),
        ("amplitude", {"rules": {"include": [1]}}, 422, "rules.include.0"),
        ("amplitude", {"events": 1}, 422, "events"),
    ],
)
async def test_what_cannot_be_tried(
    api: httpx.AsyncClient, name: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = await call(api, "POST", f"/destinations/{name}/dry-run", body, expect=status)
    assert words in answer["detail"]


async def test_only_an_admin_sees_what_is_sent(database: Database, project: Project, client: Client) -> None:
    process = Destinations(
        database, [DestinationConfig("amplitude", {"api_key": "k"})], client, owner="x", box=BOX
    )
    async with await serving(database, project, process, kind=KeyKind.READ) as api:
        await call(api, "POST", "/destinations/amplitude/dry-run", {}, expect=403)
    await process.close()


async def test_in_sandbox_mode_it_says_what_would_be_sent_without_it(
    database: Database, project: Project, client: Client
) -> None:
    config = DestinationConfig("amplitude", {"api_key": "k" * 32})
    quiet = Destinations(database, [config], client, owner="quiet", box=BOX, sandbox_mode=True)
    await write_events(database, [make_event(project)])
    async with await serving(database, project, quiet) as api:
        assert (await call(api, "POST", "/destinations/amplitude/dry-run", {}))["send"] == 1
        assert (await call(api, "POST", "/destinations/sandbox/dry-run", {}))["send"] == 1
    await quiet.close()
