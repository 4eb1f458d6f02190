"""Rounds of evaluation: what is written, what people are told, and what happens when rules change meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from analytics_api.alert import administration, evaluation
from analytics_api.alert.defaults import DEFAULTS
from analytics_api.alert.evaluation import settle
from analytics_api.alert.kinds import KINDS
from analytics_api.alert.rule_kind import Parameters, RuleKind, Scene
from analytics_api.domain.alert import AlertState, Finding
from analytics_api.store.alert_rules import enabled_rules, list_rules
from analytics_api.store.alerts import acknowledge, purge_alerts
from analytics_api.store.engine import Database
from analytics_api.store.projects import create_project
from tests.support.alerting import JOBS, AlertReceiver, World, make_alerts
from tests.support.delivering import MovableClock
from tests.support.events import make_project


async def test_every_project_begins_with_rules_that_show_without_a_channel(
    database: Database,
) -> None:
    clock = MovableClock()
    alerts = make_alerts(database, clock)
    world = World(database, await make_project(database), clock, alerts)
    await world.destination("amplitude")
    await world.pause("amplitude")
    assert await world.round() == {"firing": 1}
    (found,) = (await world.current()).values()
    assert (found.rule_name, found.alert.state) == ("Destination paused", AlertState.FIRING)
    assert await world.outbox() == []
    async with database.write() as session:
        other = await create_project(session, "other", now=clock())
    await world.round()
    async with database.acquire() as connection:
        for project_id in (world.project.id, other.id):
            rules = await list_rules(connection, project_id)
            assert {rule.body.name for rule in rules} == DEFAULTS.keys()
    await alerts.close()


async def test_a_default_rule_that_was_removed_stays_away(world: World) -> None:
    await world.round()
    async with world.database.acquire() as connection:
        assert await list_rules(connection, world.project.id) == []


async def test_from_beginning_to_end(world: World, receiver: AlertReceiver) -> None:
    await world.hook(receiver)
    await world.rule("destination_paused", hold_seconds=120, clear_seconds=120, remind_hours=2)
    await world.destination("amplitude")
    await world.pause("amplitude")
    assert await world.round() == {}
    assert [each.alert.state for each in (await world.current()).values()] == [AlertState.PENDING]
    assert await world.round() == {}
    assert await world.round() == {"firing": 1}
    await world.alerts.send()
    assert await world.round() == {}
    assert await world.round(hours=2) == {"reminder": 1}
    await world.resume("amplitude")
    assert await world.round() == {}
    assert await world.round(minutes=2) == {"resolved": 1}
    assert await world.current() == {}
    (past,) = await world.past()
    assert past.alert.started_at is not None
    assert past.alert.ended_at == world.clock()
    await world.alerts.send()
    assert receiver.told == [
        (notice, "destination:amplitude") for notice in ("firing", "reminder", "resolved")
    ]
    first = receiver.alerts[0]
    assert first["data"] == {
        "alert_id": past.id,
        "project": "default",
        "rule_id": past.rule_id,
        "rule": past.rule_name,
        "kind": "destination_paused",
        "subject": "destination:amplitude",
        "value": None,
        "text": "Destination amplitude is paused: HTTP 401: no such key",
        "started_at": past.alert.started_at.isoformat(),
        "ended_at": None,
    }
    assert receiver.ids == [each["id"] for each in receiver.alerts]


async def test_each_subject_has_an_alert_of_its_own(world: World, receiver: AlertReceiver) -> None:
    await world.hook(receiver)
    await world.rule("destination_paused")
    for name in ("a", "b"):
        await world.destination(name)
        await world.pause(name)
        await world.round()
    await world.resume("a")
    await world.round()
    await world.alerts.send()
    assert receiver.told == [
        ("firing", "destination:a"),
        ("firing", "destination:b"),
        ("resolved", "destination:a"),
    ]


async def test_no_reminder_of_what_somebody_knows_but_its_end(world: World, receiver: AlertReceiver) -> None:
    await world.hook(receiver)
    await world.rule("destination_paused", remind_hours=1)
    await world.destination("a")
    await world.pause("a")
    await world.round()
    (held,) = (await world.current()).values()
    async with world.database.acquire() as connection:
        assert await acknowledge(connection, world.project.id, held.id, world.clock()) is not None
    assert await world.round(hours=5) == {}
    await world.resume("a")
    assert await world.round() == {"resolved": 1}
    async with world.database.acquire() as connection:
        assert await acknowledge(connection, world.project.id, held.id, world.clock()) is None


async def test_channels_of_a_rule(world: World, receiver: AlertReceiver) -> None:
    async with AlertReceiver() as second:
        first_id = await world.hook(receiver)
        second_id = await world.hook(second, name="second")
        await world.rule("destination_paused", {"destination": "a"}, name="both")
        await world.rule("destination_paused", {"destination": "b"}, name="one", channel_ids=[second_id])
        await world.rule("destination_paused", {"destination": "c"}, name="none", channel_ids=[])
        for name in ("a", "b", "c"):
            await world.destination(name)
            await world.pause(name)
        assert await world.round() == {"firing": 3}
        await world.alerts.send()
        assert receiver.told == [("firing", "destination:a")]
        assert second.told == [("firing", "destination:a"), ("firing", "destination:b")]
        await administration.remove_channel(world.database, world.project, first_id, world.clock())
        await administration.remove_channel(world.database, world.project, second_id, world.clock())
    async with world.database.acquire() as connection:
        rules = {rule.body.name: rule.body.channel_ids for rule in await enabled_rules(connection)}
    assert rules == {"both": None, "one": [], "none": []}
    assert await world.outbox() == []


@pytest.mark.parametrize("way", ["disable", "remove"])
async def test_a_rule_that_watches_no_more_ends_its_alerts(
    world: World, receiver: AlertReceiver, way: str
) -> None:
    await world.hook(receiver)
    rule_id = await world.rule("destination_paused")
    pending = await world.rule("destination_paused", hold_seconds=3600)
    await world.destination("a")
    await world.pause("a")
    await world.round()
    for number in (rule_id, pending):
        if way == "remove":
            await administration.remove_rule(world.database, world.project, number, world.clock())
        else:
            await administration.change_rule(
                world.database, world.project, number, {"enabled": False}, JOBS, world.clock()
            )
    assert await world.current() == {}
    assert len(await world.past()) == 1, "what never fired leaves nothing"
    assert await world.round() == {}
    await world.alerts.send()
    assert [kind for kind, _ in receiver.told] == ["firing", "resolved"]
    assert receiver.alerts[1]["data"]["text"] in ("The rule was switched off.", "The rule was removed.")


async def test_a_rule_that_cannot_be_evaluated_says_so_and_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Parameters):
        pass

    broken = False

    async def find(scene: Scene, _parameters: Slow) -> list[Finding]:
        if broken:
            await scene.connection.execute("SELECT pg_sleep(60)")
        return [Finding("thing:a", 1, "it is so")]

    monkeypatch.setitem(KINDS, "slow", RuleKind("", None, Slow, find))
    monkeypatch.setattr(evaluation, "LOOK_TIMEOUT_MS", 50)
    slow = await world.rule("slow")
    await world.rule("destination_paused")
    await world.destination("a")
    assert await world.round() == {"firing": 1}
    broken = True
    await world.pause("a")
    assert await world.round() == {"firing": 1}, "the others go on"
    assert (await world.current()).keys() == {"thing:a", "destination:a"}
    async with world.database.acquire() as connection:
        errors = {rule.id: rule.last_error for rule in await enabled_rules(connection)}
    assert errors[slow] == "it took longer than 0 s"
    assert [error for number, error in errors.items() if number != slow] == [None]
    monkeypatch.delitem(KINDS, "slow")
    await world.round()
    async with world.database.acquire() as connection:
        errors = {rule.id: rule.last_error for rule in await enabled_rules(connection)}
    assert errors[slow] == "kind 'slow' is not known to this version"


async def test_a_rule_may_not_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(scene: Scene, _parameters: Parameters) -> list[Finding]:
        await scene.connection.execute("DELETE FROM readers")
        return []

    monkeypatch.setitem(KINDS, "writing", RuleKind("", None, Parameters, find))
    await world.rule("writing")
    await world.round()
    async with world.database.acquire() as connection:
        (rule,) = await enabled_rules(connection)
    assert rule.last_error is not None
    assert rule.last_error.startswith("ReadOnlySQLTransactionError")


async def test_two_workers_at_once_tell_nothing_twice(world: World, receiver: AlertReceiver) -> None:
    await world.hook(receiver)
    for number in range(5):
        await world.rule("destination_paused", name=str(number))
    for name in ("a", "b", "c"):
        await world.destination(name)
        await world.pause(name)
    others = [world.another() for _ in range(3)]
    for _ in range(3):
        world.clock.move(minutes=1)
        await asyncio.gather(*(each.evaluate() for each in (world.alerts, *others)))
    assert len(await world.outbox()) == 15
    await asyncio.gather(*(each.send() for each in (world.alerts, *others)))
    while any(row["state"] == "waiting" for row in await world.outbox()):
        await world.alerts.send()
    assert len(receiver.alerts) == 15
    assert not receiver.repeated


async def test_findings_of_a_rule_that_was_changed_meanwhile_are_left_out(world: World) -> None:
    rule_id = await world.rule("destination_paused")
    async with world.database.acquire() as connection:
        (old,) = await enabled_rules(connection)
        world.clock.move(minutes=1)
        await administration.change_rule(
            world.database, world.project, rule_id, {"remind_hours": 1}, JOBS, world.clock()
        )
        stale = {"destination:a": Finding("destination:a", None, "it was so")}
        assert await settle(connection, world.project, old, stale, world.clock()) == []
        (new,) = await enabled_rules(connection)
        assert await settle(connection, world.project, new, stale, world.clock()) != []
        earlier = world.clock() - timedelta(seconds=30)
        assert await settle(connection, world.project, new, {}, earlier) == [], "somebody was faster"
    assert (await world.current()).keys() == {"destination:a"}


async def test_history_is_purged_with_its_notifications(world: World, receiver: AlertReceiver) -> None:
    await world.hook(receiver)
    await world.rule("destination_paused")
    for name in ("a", "b"):
        await world.destination(name)
        await world.pause(name)
    await world.round()
    await world.resume("a")
    await world.round()
    await world.alerts.send()
    async with world.database.acquire() as connection:
        assert await purge_alerts(connection, world.clock()) == 0
        assert await purge_alerts(connection, world.clock() + timedelta(days=1)) == 1
    assert await world.past() == []
    assert (await world.current()).keys() == {"destination:b"}, "what still fires is no history"
