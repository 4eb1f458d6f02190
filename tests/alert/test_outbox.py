"""Notifications go out in order, again until they are taken, and hold up nobody."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from uuid import UUID

import pytest

from analytics_api.alert import administration, notifier
from analytics_api.alert.administration import NewChannel
from analytics_api.alert.service import Alerts
from analytics_api.errors import LeaseLost
from analytics_api.outbound import http
from analytics_api.outbound.connections import make_client
from analytics_api.store import alert_outbox
from analytics_api.store.alert_channels import StoredChannel, find_channel
from tests.support.alerting import JOBS, AlertReceiver, World
from tests.support.destinations import BOX
from tests.support.figures import LATE_DAYS
from tests.support.providers import Fault
from tests.support.serving import until


async def fire(world: World, *names: str) -> None:
    """Pause destinations and evaluate: a notification each."""
    for name in names:
        await world.destination(name)
        await world.pause(name)
        await world.round()


async def channel_of(world: World, number: int) -> StoredChannel:
    async with world.database.acquire() as connection:
        channel = await find_channel(connection, world.project.id, number)
    assert channel is not None
    return channel


async def test_a_channel_that_fails_is_tried_again_until_it_takes_all_in_order(
    world: World, receiver: AlertReceiver
) -> None:
    number = await world.hook(receiver)
    await world.rule("destination_paused")
    await fire(world, "a", "b")
    await world.resume("a")
    await world.round()
    faults = [
        Fault("status", status=503),
        Fault("reset"),
        Fault("reset", taken=True),
        Fault("status", status=404),
        Fault("status", status=401),
        Fault("status", status=429, headers={"Retry-After": "100000"}),
    ]
    receiver.faults.extend(faults)
    tries = 0
    while any(row["state"] == "waiting" for row in await world.outbox()):
        await world.alerts.send()
        state = await channel_of(world, number)
        assert state.retry_at is None or state.retry_at <= world.clock() + timedelta(
            seconds=notifier.LONGEST_WAIT
        )
        before = len(receiver.requests)
        await world.alerts.send()
        assert len(receiver.requests) == before, "it rests until it is due"
        world.clock.now = state.retry_at or world.clock.now
        tries += 1
        assert tries < 20
    assert len(receiver.requests) == 3 + len(faults)
    assert receiver.told == [
        ("firing", "destination:a"),
        ("firing", "destination:b"),
        ("resolved", "destination:a"),
    ]
    assert len(receiver.repeated) == 1, "the answer that was lost"
    assert all(row["state"] == "sent" for row in await world.outbox())
    state = await channel_of(world, number)
    assert (state.failures, state.retry_at) == (0, None)
    assert state.last_sent_at is not None


async def test_what_the_other_side_does_not_want_makes_room_for_the_next(
    world: World, receiver: AlertReceiver
) -> None:
    await world.hook(receiver)
    await world.rule("destination_paused")
    await fire(world, "a", "b")
    receiver.faults.extend([Fault("status", status=400, body={"error": "no"})] * notifier.MOST_REFUSALS)
    for _ in range(notifier.MOST_REFUSALS + 1):
        await world.alerts.send()
        world.clock.move(seconds=notifier.LONGEST_WAIT)
    first, second = await world.outbox()
    assert (first["state"], first["last_error"]) == ("failed", 'HTTP 400: {"error": "no"}')
    assert second["state"] == "sent"
    assert receiver.told == [("firing", "destination:b")]


async def test_after_a_week_nobody_wants_to_hear_it(world: World, receiver: AlertReceiver) -> None:
    await world.hook(receiver)
    await world.rule("destination_paused")
    await fire(world, "a")
    receiver.broken = Fault("status", status=500)
    world.clock.move(days=6)
    await world.alerts.send()
    assert [row["state"] for row in await world.outbox()] == ["waiting"]
    world.clock.move(days=2)
    await world.alerts.send()
    assert [row["state"] for row in await world.outbox()] == ["failed"]


async def test_no_reminders_pile_up_behind_a_channel_that_is_down(
    world: World, receiver: AlertReceiver
) -> None:
    await world.hook(receiver)
    await world.rule("destination_paused", remind_hours=1)
    receiver.broken = Fault("reset")
    await fire(world, "a")
    for _ in range(10):
        await world.alerts.send()
        await world.round(hours=1)
    assert [row["notice"] for row in await world.outbox()] == ["firing"]


async def test_a_channel_that_hangs_holds_up_neither_evaluation_nor_another_channel(
    world: World, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "STOP_SECONDS", 0.1)
    async with AlertReceiver() as hanging:
        hanging.broken = Fault("hang")
        await world.hook(hanging, name="hanging")
        await world.hook(receiver, name="quick")
        await world.rule("destination_paused")
        await fire(world, "a")
        await world.alerts.start_due()
        await until(lambda: len(hanging.requests) == 1)
        await fire(world, "b", "c")
        while [row["state"] for row in await world.outbox()].count("sent") < 3:
            await world.alerts.start_due()
            await asyncio.sleep(0.01)
        assert len(hanging.requests) == 1
        await world.alerts.close()
    assert len(receiver.alerts) == 3


async def test_killed_between_sending_and_noting_it(
    world: World, receiver: AlertReceiver, database_url: str
) -> None:
    """The request is taken, and before its answer is read the process is dead: the next one sends it again."""
    number = await world.hook(receiver)
    await world.rule("destination_paused")
    await fire(world, "a")
    receiver.broken = Fault("hang", taken=True)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.alert_process", database_url, world.clock().isoformat()),
        stdin=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        await until(lambda: len(receiver.alerts) == 1)
    finally:
        child.kill()
        await child.wait()
    receiver.broken = None
    await world.alerts.send()
    assert not receiver.repeated, "the dead process still has the channel"
    world.clock.move(seconds=notifier.CLAIM.total_seconds() + 1)
    await world.alerts.send()
    (row,) = await world.outbox()
    assert receiver.repeated == {str(row["message_id"]): 1}
    assert (row["state"], row["attempts"]) == ("sent", 2)
    assert (await channel_of(world, number)).failures == 0


async def test_a_stopped_process_that_wakes_up_notes_nothing(world: World, receiver: AlertReceiver) -> None:
    await world.hook(receiver)
    await world.rule("destination_paused")
    await fire(world, "a")
    async with world.database.acquire() as connection:
        (claim,) = await alert_outbox.claim_channels(connection, world.clock(), notifier.CLAIM, 10)
        waiting = await alert_outbox.next_notification(connection, claim, world.clock(), notifier.CLAIM)
        assert waiting is not None
        world.clock.move(minutes=5)
        await world.alerts.send()
        before = await world.outbox()
        with pytest.raises(LeaseLost):
            await alert_outbox.settle_failed(
                connection,
                claim,
                waiting,
                "late",
                world.clock(),
                retry_at=world.clock(),
                give_up=True,
            )
        with pytest.raises(LeaseLost):
            await alert_outbox.settle_sent(connection, claim, waiting, world.clock())
        with pytest.raises(LeaseLost):
            await alert_outbox.next_notification(connection, claim, world.clock(), notifier.CLAIM)
        await alert_outbox.release_channel(connection, claim)
    assert await world.outbox() == before


async def test_a_channel_that_was_replaced_gets_what_waits_at_once(
    world: World, receiver: AlertReceiver
) -> None:
    number = await world.hook(receiver)
    await world.rule("destination_paused")
    await fire(world, "a")
    receiver.broken = Fault("status", status=503)
    await world.alerts.send()
    async with AlertReceiver() as other:
        body = NewChannel("slack", "other", {"url": f"{other.url}/slack"})
        await administration.replace_channel(
            world.database, BOX, world.project, number, body, world.clock(), mail_is_set=False
        )
        await world.alerts.send()
        assert other.texts == [
            "*Firing: destination_paused 0null (project default)*\n"
            "Destination a is paused: HTTP 401: no such key"
        ]


async def test_slack_is_not_told_markup(world: World, receiver: AlertReceiver) -> None:
    await world.channel("slack", url=f"{receiver.url}/slack")
    await world.rule("destination_paused", name="<!channel> & more")
    await world.destination("a")
    await world.pause("a", "<script>")
    await world.round()
    await world.alerts.send()
    assert receiver.texts == [
        "*Firing: &lt;!channel&gt; &amp; more (project default)*\nDestination a is paused: &lt;script&gt;"
    ]


async def test_sandbox_mode_sends_nothing(world: World, receiver: AlertReceiver) -> None:
    number = await world.hook(receiver)
    await world.rule("destination_paused")
    await fire(world, "a")
    quiet = world.another(muted=True)
    await quiet.send()
    assert [row["state"] for row in await world.outbox()] == ["skipped"]
    error = await quiet.test(world.project, number)
    assert error is not None
    assert "sandbox" in error
    assert not receiver.requests


async def test_an_address_inside_the_own_network_is_refused(world: World, receiver: AlertReceiver) -> None:
    number = await world.hook(receiver)
    careful = Alerts(
        world.database,
        BOX,
        make_client(public_only=True),
        None,
        jobs=JOBS,
        late_days=LATE_DAYS,
        clock=world.clock,
    )
    error = await careful.test(world.project, number)
    await world.rule("destination_paused")
    await fire(world, "a")
    await careful.send()
    state = await channel_of(world, number)
    assert state.last_error == error
    assert error is not None
    assert "ANALYTICS__ALLOW_PRIVATE_DESTINATIONS" in error
    assert not receiver.requests
    await careful.close()


async def test_a_test_message(world: World, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await world.hook(receiver)
    assert await world.alerts.test(world.project, number) is None
    (sent,) = receiver.alerts
    assert sent["type"] == "alert.test"
    assert UUID(sent["id"])
    assert json.loads(receiver.requests[0].body) == sent
    receiver.broken = Fault("status", status=410, body={"error": "gone"})
    assert await world.alerts.test(world.project, number) == 'HTTP 410: {"error": "gone"}'
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.1)
    receiver.broken = Fault("hang")
    assert "no complete answer" in (await world.alerts.test(world.project, number) or "")
    assert await world.outbox() == []
