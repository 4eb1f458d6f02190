"""Whatever happens in whatever order: nobody is told twice of one thing, and nothing is kept from anybody."""

from __future__ import annotations

import asyncio
from itertools import groupby, pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from analytics_api.domain.alert import AlertState
from analytics_api.outbound import http
from analytics_api.store.alerts import acknowledge
from analytics_api.store.engine import Database
from tests.support.alerting import AlertReceiver, World, make_alerts
from tests.support.delivering import MovableClock
from tests.support.events import make_project
from tests.support.providers import Fault

NAMES = ("a", "b")
HOLD, CLEAR = 90, 150

ACTIONS = st.one_of(
    st.tuples(st.just("pause"), st.sampled_from(NAMES)),
    st.tuples(st.just("resume"), st.sampled_from(NAMES)),
    st.tuples(st.just("rounds"), st.integers(1, 4), st.booleans()),
    st.tuples(st.just("send"), st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 10_000)),
    st.tuples(st.just("acknowledge")),
    st.tuples(
        st.just("fault"),
        st.sampled_from(
            [
                Fault("status", status=503),
                Fault("reset"),
                Fault("reset", taken=True),
                Fault("truncate", taken=True),
                Fault("hang", taken=True),
                Fault("status", status=429, headers={"Retry-After": "120"}),
            ]
        ),
    ),
)


async def act(world: World, receiver: AlertReceiver, action: tuple[Any, ...]) -> None:
    other = world.others[0]
    match action:
        case ("pause", name):
            await world.pause(name)
        case ("resume", name):
            await world.resume(name)
        case ("rounds", number, both):
            for _ in range(number):
                world.clock.move(minutes=1)
                await asyncio.gather(world.alerts.evaluate(), *([other.evaluate()] if both else []))
        case ("send", both):
            await asyncio.gather(world.alerts.send(), *([other.send()] if both else []))
        case ("wait", seconds):
            world.clock.move(seconds=seconds)
        case ("acknowledge",):
            async with world.database.acquire() as connection:
                for held in (await world.current()).values():
                    await acknowledge(connection, world.project.id, held.id, world.clock())
        case ("fault", fault):
            receiver.faults.append(fault)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTIONS, min_size=3, max_size=25))
async def test_any_course(
    database: Database, monkeypatch: pytest.MonkeyPatch, actions: list[tuple[Any, ...]]
) -> None:
    note(repr(actions))
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.2)
    clock = MovableClock()
    project = await make_project(database, uuid4().hex)
    world = World(database, project, clock, make_alerts(database, clock))
    async with AlertReceiver() as receiver:
        world.another()
        await world.without_defaults()
        await world.hook(receiver)
        await world.rule("destination_paused", hold_seconds=HOLD, clear_seconds=CLEAR, remind_hours=1)
        for name in NAMES:
            await world.destination(name)
        for action in actions:
            await act(world, receiver, action)
        before = len(receiver.requests)
        receiver.faults.clear()
        while any(row["state"] == "waiting" for row in await outbox(world)):
            clock.move(minutes=11)
            await world.alerts.send()
            assert len(receiver.requests) < before + 200
        await check(world, receiver)
        await world.close()


async def outbox(world: World) -> list[Any]:
    """Other examples share the database."""
    return [row for row in await world.outbox() if world.project.slug in row["facts"]]


async def check(world: World, receiver: AlertReceiver) -> None:
    rows = await outbox(world)
    assert [row["state"] for row in rows] == ["sent"] * len(rows)
    assert receiver.ids == [str(row["message_id"]) for row in rows], (
        "all of them, in order, each once by its id"
    )

    told: dict[int, list[str]] = {}
    for message in receiver.alerts:
        told.setdefault(message["data"]["alert_id"], []).append(message["type"].removeprefix("alert."))
    fired = [*await world.past(), *(await world.current()).values()]
    fired = [each for each in fired if each.alert.started_at is not None]
    assert told.keys() == {each.id for each in fired}
    for each in fired:
        kinds = [kind for kind, _ in groupby(told[each.id])]
        ended = ["resolved"] if each.alert.state is AlertState.RESOLVED else []
        assert kinds in (["firing", *ended], ["firing", "reminder", *ended])
        assert told[each.id].count("firing") == 1
    for name in NAMES:
        spans = sorted(
            (each.alert.started_at, each.alert.ended_at)
            for each in fired
            if each.alert.subject == f"destination:{name}" and each.alert.started_at is not None
        )
        for (_, end), (begin, _) in pairwise(spans):
            assert end is not None
            assert (begin - end).total_seconds() >= HOLD, "one alert of a subject at a time"
