"""Destinations that are changed, paused, resumed and removed while everything runs."""

from __future__ import annotations

import asyncio

import httpx

from analytics_api.deliver.service import Destinations
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store.engine import Database
from analytics_api.store.secret_box import SecretBox
from tests.support.destinations import call, named, serving, until, webhook
from tests.support.events import make_event, write_events
from tests.support.providers import Fault, WebhookStandIn


async def test_new_credentials_are_taken_over_and_let_a_paused_one_go_on(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    wrong = webhook(receiver, start="beginning")
    wrong["options"]["secret"] = "not the receiver's secret"
    await call(api, "POST", "/destinations", wrong, expect=201)
    await write_events(database, [make_event(project) for _ in range(4)])
    await worker.flush()
    paused = await named(api, "webhook")
    assert paused["state"] == "paused"
    assert "Invalid signature" in paused["reason"]
    await call(api, "PATCH", "/destinations/webhook", {"options": {"secret": receiver.secret}})
    await worker.notice()
    await until(lambda: len(receiver.stored) == 4)


async def test_another_address_wants_the_secrets_again(
    api: httpx.AsyncClient, receiver: WebhookStandIn
) -> None:
    await call(api, "POST", "/destinations", webhook(receiver), expect=201)
    theirs = {"options": {"url": "https://elsewhere.example/"}}
    refused = await call(api, "PATCH", "/destinations/webhook", theirs, expect=422)
    assert "give secret again" in refused["detail"]
    theirs["options"]["secret"] = "a new secret of mine"
    changed = await call(api, "PATCH", "/destinations/webhook", theirs)
    assert changed["options"] == {"url": "https://elsewhere.example/"}


async def test_paused_by_hand_it_keeps_everything_until_resumed_whatever_else_changes(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    await call(api, "PATCH", "/destinations/webhook", {"state": "paused"})
    await write_events(database, [make_event(project) for _ in range(3)])
    await call(api, "PATCH", "/destinations/webhook", {"options": {"secret": receiver.secret + "AAAA"}})
    await call(api, "PATCH", "/destinations/webhook", {"options": {"secret": receiver.secret}})
    await worker.flush()
    assert (await named(api, "webhook"))["reason"] == "paused by hand"
    assert not receiver.requests
    resumed = await call(api, "PATCH", "/destinations/webhook", {"state": "running"})
    assert resumed["state"] == "running"
    await worker.flush()
    assert len(receiver.stored) == 3


async def test_pausing_stops_a_run_after_what_is_in_flight_and_sends_nothing_twice(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    await write_events(database, [make_event(project, user_id=f"u{n % 50}") for n in range(4_000)])
    receiver.broken = Fault("slow", seconds=0.05)
    run = asyncio.create_task(worker.flush())
    await until(lambda: receiver.in_flight > 0)
    await call(api, "PATCH", "/destinations/webhook", {"state": "paused"})
    await run
    some = len(receiver.stored)
    assert 0 < some < 4_000
    receiver.broken = None
    await call(api, "PATCH", "/destinations/webhook", {"state": "running"})
    await worker.flush()
    assert len(receiver.stored) == 4_000
    assert not receiver.repeated


async def test_a_change_during_a_run_lets_the_run_end_first(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    await write_events(database, [make_event(project, user_id=f"u{n % 9}") for n in range(900)])
    receiver.faults.extend([Fault("slow", seconds=0.3)] * 8)
    run = asyncio.create_task(worker.flush())
    await until(lambda: receiver.in_flight > 0)
    await call(api, "PATCH", "/destinations/webhook", {"options": {"secret": receiver.secret}})
    await worker.notice()
    await run
    await until(lambda: len(receiver.stored) == 900)
    assert not receiver.repeated


async def test_removed_it_gets_nothing_more_and_its_state_is_gone(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    await write_events(database, [make_event(project, event_data={"bad": n == 0}) for n in range(3)])
    await worker.flush()
    assert len(receiver.stored) == 2
    await call(api, "DELETE", "/destinations/webhook", expect=204)
    await write_events(database, [make_event(project) for _ in range(3)])
    await worker.flush()
    assert len(receiver.stored) == 2
    async with database.acquire() as connection:
        for table in ("parked_events", "dead_events", "single_attempts", "delivery_counts"):
            held = await connection.fetchval(f"SELECT count(*) FROM {table} WHERE destination = 'webhook'")
            assert held == 0, table
        assert await connection.fetchval("SELECT count(*) FROM readers WHERE name = 'deliver:webhook'") == 0
    await call(api, "DELETE", "/destinations/webhook", expect=404)
    # The name is free again, and starts anew.
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    await worker.flush()
    assert sum(receiver.repeated.values()) == 2


async def test_with_another_key_it_says_so_keeps_its_place_and_goes_on_with_the_secrets_set_again(
    database: Database,
    project: Project,
    client: Client,
    receiver: WebhookStandIn,
    worker: Destinations,
) -> None:
    async with await serving(database, project, worker) as api:
        await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    await write_events(database, [make_event(project)])
    box = SecretBox(lambda: b"quite another key than before")
    other = Destinations(database, [], client, owner="other", box=box)
    async with await serving(database, project, other, box=box) as api:
        await other.flush()
        shown = await named(api, "webhook")
        assert shown["state"] == "unconfigured"
        assert "SECRET_KEY" in shown["reason"]
        assert not receiver.requests
        await call(api, "PATCH", "/destinations/webhook", {"options": {"secret": receiver.secret}})
        await other.flush()
    assert len(receiver.stored) == 1
    await other.close()
