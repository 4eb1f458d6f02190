"""Rules that are set and changed while everything runs: what is sent, what is skipped and why, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.replaying import NewReplay
from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store.destination_rules import put_rules
from analytics_api.store.engine import Database
from tests.support.delivering import (
    DOWN,
    MovableClock,
    destination,
    make_reader,
    overview,
    run_until_quiet,
    write_numbered,
)
from tests.support.destinations import BOX, call, named, serving, until, webhook
from tests.support.events import make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault, MixpanelStandIn, WebhookStandIn
from tests.support.replaying import ReplayBench
from tests.support.rules import rule_set
from tests.support.stored import stored_event

CONSENT = {"purposes": ["ads"]}


async def skipped(database: Database, project: Project, name: str) -> dict[tuple[str, str], int]:
    """Skipped events by type and reason."""
    found = await overview(database, project, name)
    return {
        (kind, reason): number
        for (_, kind), tally in found.tallies.items()
        for reason, number in tally.skipped.items()
    }


async def test_with_rules_from_its_beginning_nothing_else_gets_out_and_every_event_is_counted(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    yes, no = {"consent": {"ads": True}}, {"consent": {"ads": False}}
    sample = {"percent": 50}
    events = [
        make_event(
            project, event_type, user_id=f"user-{n}", context=context, event_data={"plan": plan, "n": n}
        )
        for n in range(12)
        for event_type in ("signup_completed", "debug_x", "api_request")
        for context in (yes, no)
        for plan in ("pro", "free")
    ]
    await write_events(database, events)
    rules = {
        "exclude": ["debug_*"],
        "all_of": [{"path": "event_data.plan", "op": "is", "value": "pro"}],
        "consent": CONSENT,
        "sample": sample,
        "mapping": [
            {
                "events": ["signup_*"],
                "rename_event": "Signed Up",
                "rename": {"event_data.plan": "event_data.tier"},
                "drop": ["context"],
            }
        ],
    }
    added = await call(
        api, "POST", "/destinations", webhook(receiver, start="beginning", rules=rules), expect=201
    )
    assert (added["rules"], added["rules_version"]) == (rules, 1)
    await worker.flush()
    persons = {f"user-{n}": make_event(project, user_id=f"user-{n}").person_id for n in range(12)}
    sampling = rule_set(sample=sample)
    chosen = {
        user
        for user, person in persons.items()
        if isinstance(sampling.apply(replace(stored_event(), person_id=person)), StoredEvent)
    }
    assert {event["user_id"] for event in receiver.stored} == chosen
    assert 0 < len(chosen) < 12
    ids = {str(event.event_id): event for event in events}
    for sent in receiver.stored:
        stored = ids[sent["event_id"]]
        assert sent["event_type"] == "Signed Up"
        assert sent["event_data"] == {"tier": "pro", "n": json.loads(stored.event_data)["n"]}
        assert (sent["context"], sent["timestamp"]) == ({}, stored.occurred_at.isoformat())
    assert len(receiver.stored) == len(chosen)
    assert await skipped(database, project, "webhook") == {
        ("debug_x", "filter"): 48,
        ("api_request", "filter"): 48,
        ("signup_completed", "filter"): 24,
        ("signup_completed", "consent"): 12,
        ("signup_completed", "sampled"): 12 - len(chosen),
    }


async def test_changed_rules_are_followed_without_a_flush_and_have_versions(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    assert (await named(api, "webhook"))["rules_version"] == 0
    await worker.notice()
    steps: list[tuple[dict[str, Any], list[str]]] = [
        ({"include": ["purchase"]}, ["purchase"]),
        ({"exclude": ["purchase"]}, ["page_view"]),
        ({}, ["purchase", "page_view"]),
    ]
    for number, (rules, expected) in enumerate(steps, 1):
        changed = await call(api, "PATCH", "/destinations/webhook", {"rules": rules})
        assert (changed["rules"], changed["rules_version"]) == (rules, number)
        assert changed["rules_changed_at"] is not None
        receiver.forget()
        await write_events(database, [make_event(project, name) for name in ("purchase", "page_view")])
        await worker.notice()
        await until(lambda: len(receiver.stored) == len(expected))  # noqa: B023 (awaited in its turn)
        assert [event["event_type"] for event in receiver.stored] == expected
    # Removed and added again, it has no rules of the former one.
    await call(api, "PATCH", "/destinations/webhook", {"rules": {"include": ["none"]}})
    await call(api, "DELETE", "/destinations/webhook", expect=204)
    again = await call(api, "POST", "/destinations", webhook(receiver), expect=201)
    assert (again["rules"], again["rules_version"]) == ({}, 0)


async def test_one_of_the_settings_takes_rules_over_the_api(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    amplitude: AmplitudeStandIn,
) -> None:
    await worker.notice()
    await call(api, "PATCH", "/destinations/amplitude", {"rules": {"include": ["purchase"]}})
    await write_events(database, [make_event(project, name) for name in ("purchase", "page_view")])
    await worker.notice()
    await until(lambda: [event["event_type"] for event in amplitude.stored] == ["purchase"])
    assert (await named(api, "amplitude"))["rules"] == {"include": ["purchase"]}


async def test_those_of_the_settings_are_changed_in_the_settings(
    database: Database, project: Project, client: Client, amplitude: AmplitudeStandIn
) -> None:
    options = {"api_key": amplitude.api_key, "url": amplitude.url}
    rules = rule_set(include=["purchase"]).declared
    config = DestinationConfig("amplitude", options, rules=rules)
    both = Destinations(database, [config], client, owner="both", box=BOX)
    await both.ensure()
    async with await serving(database, project, both) as api:
        refused = await call(api, "PATCH", "/destinations/amplitude", {"rules": {}}, expect=409)
        assert "come from the settings" in refused["detail"]
        shown = await named(api, "amplitude")
    assert (shown["rules"], shown["rules_version"]) == ({"include": ["purchase"]}, 0)
    await write_events(database, [make_event(project, name) for name in ("purchase", "page_view")])
    await both.flush()
    assert [event["event_type"] for event in amplitude.stored] == ["purchase"]
    await both.close()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"rules": {"inclde": ["a"]}}, 422, "rules.inclde: is not known here"),
        ({"rules": {"sample": {"percent": 0}}}, 422, "rules.sample.percent: "),
        ({"rules": {"consent": {"purposes": []}}}, 422, "rules.consent.purposes: "),
        ({"rules": {"mapping": [{"drop": ["evnt_data.x"]}]}}, 422, "did you mean event_data.x?"),
        ({"rules": []}, 422, "rules: "),
        ({}, 422, "name options, rules or state"),
    ],
)
async def test_mistakes_are_refused_when_they_are_saved_and_change_nothing(
    api: httpx.AsyncClient, receiver: WebhookStandIn, body: dict[str, Any], status: int, words: str
) -> None:
    await call(api, "POST", "/destinations", webhook(receiver, rules={"include": ["a"]}), expect=201)
    answer = await call(api, "PATCH", "/destinations/webhook", body, expect=status)
    assert words in answer["detail"]
    assert (await named(api, "webhook"))["rules"] == {"include": ["a"]}


async def test_nobody_has_rules_for_a_destination_that_is_not_there(api: httpx.AsyncClient) -> None:
    for name in ("webhook", "sandbox"):
        await call(api, "PATCH", f"/destinations/{name}", {"rules": {}}, expect=404)


async def test_rules_that_this_version_cannot_read_hold_the_destination_back(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    """Stored by a newer one, they may ask for a consent that this one would not know of."""
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    async with database.acquire() as connection:
        await put_rules(connection, project.id, "webhook", '{"moon": "full"}', datetime.now(UTC))
    await write_events(database, [make_event(project)])
    await worker.flush()
    shown = await named(api, "webhook")
    assert (shown["state"], shown["rules"]) == ("unconfigured", {"moon": "full"})
    assert "its rules cannot be read by this version: rules: moon" in shown["reason"]
    await call(api, "POST", "/destinations/webhook/dry-run", {}, expect=409)
    assert not receiver.requests
    await call(api, "PATCH", "/destinations/webhook", {"rules": {}})
    await worker.flush()
    assert len(receiver.stored) == 1


async def test_an_event_that_may_have_arrived_keeps_its_event_type_when_a_rename_changes(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    mixpanel: MixpanelStandIn,
) -> None:
    """Mixpanel recognises a repetition by the event's name, too."""
    options = {"token": mixpanel.token, "url": mixpanel.url}

    async def reader(**rules: Any) -> DestinationReader:
        to = destination("mixpanel", options, rules=rule_set(**rules).declared)
        return await make_reader(database, project, to, client, clock)

    await write_numbered(database, project, 3)
    mixpanel.faults.append(Fault("truncate", taken=True))
    before = await reader(mapping=[{"rename_event": "Before"}])
    await before.run_once()
    assert (await overview(database, project, "mixpanel")).parked == 3
    await write_numbered(database, project, 2, first=3)
    await run_until_quiet(await reader(mapping=[{"rename_event": "After"}]), clock)
    assert Counter(event["event"] for event in mixpanel.stored) == {"Before": 3, "After": 2}
    assert mixpanel.repeated


async def test_an_event_that_may_have_arrived_and_would_be_left_out_now_ends_as_unknown(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    amplitude: AmplitudeStandIn,
) -> None:
    options = {"api_key": amplitude.api_key, "url": amplitude.url}
    await write_numbered(database, project, 3)
    amplitude.faults.extend([Fault("reset", taken=True), DOWN])
    first = await make_reader(database, project, destination("amplitude", options), client, clock)
    await first.run_once()
    later = destination("amplitude", options, rules=rule_set(consent=CONSENT).declared)
    await write_numbered(database, project, 2, first=3)
    await run_until_quiet(await make_reader(database, project, later, client, clock), clock)
    found = (await overview(database, project, "amplitude")).total
    assert (found.unknown, found.skipped, found.delivered, found.difference) == (3, {"consent": 2}, 0, 0)


async def test_a_replay_goes_by_the_rules_and_repeats_no_increment_of_what_they_rename(
    database: Database,
    project: Project,
    client: Client,
    clock: MovableClock,
    mixpanel: MixpanelStandIn,
) -> None:
    given: dict[str, Any] = {"user_properties": {"$add": {"visits": 1}}}
    await write_numbered(database, project, 6, users=2, context={"consent": {"ads": True}}, **given)
    await write_numbered(database, project, 4, users=2, first=6, **given)
    rules = rule_set(consent=CONSENT, mapping=[{"rename_event": "Viewed"}]).declared
    to = destination("mixpanel", {"token": mixpanel.token, "url": mixpanel.url}, rules=rules)
    await make_reader(database, project, to, client, clock, start=10)
    bench = ReplayBench(database, project, to, client, clock)
    # The second one knows what the first was asked for by the names that are stored.
    for new in (NewReplay(backfill=True, event_types=("page_view",)), NewReplay(backfill=True)):
        replay = await bench.start(new)
        await bench.run(bench.reader(replay))
        view = await bench.view(replay)
        assert view.counts == {("delivered", ""): 6, ("skipped", "consent"): 4}
        assert Counter(event["event"] for event in mixpanel.stored) == {"Viewed": 6}
        assert [mixpanel.profiles[f"user-{n}"]["visits"] for n in range(2)] == [3, 3]
