"""What each kind of rule finds in the tables."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from analytics_api.alert.evaluation import figures_of, look
from analytics_api.domain.alert import Finding
from analytics_api.domain.outcome import EndState
from analytics_api.store import readers
from analytics_api.store.alert_rules import find_rule
from analytics_api.store.dead_letters import DISCARDED
from analytics_api.store.deliveries import CountKey
from analytics_api.store.delivery_settling import add_counts
from analytics_api.store.jobs import claim_job, finish_job
from analytics_api.store.projects import create_project
from analytics_api.store.replays import MARK
from analytics_api.store.retention_states import begin_run, end_run
from tests.support.alerting import JOBS, World
from tests.support.events import NOW, make_event, write_events
from tests.support.figures import LATE_DAYS


async def found(world: World, kind: str, **parameters: Any) -> dict[str, Finding]:
    rule_id = await world.rule(kind, parameters)
    return await look_again(world, rule_id)


async def look_again(world: World, rule_id: int) -> dict[str, Finding]:
    async with world.database.acquire() as connection:
        rule = await find_rule(connection, world.project.id, rule_id)
        assert rule is not None
        figures = figures_of(world.database, world.project, world.clock(), LATE_DAYS)
        return await look(connection, rule, world.clock(), JOBS, figures)


async def test_a_backlog_is_as_old_as_its_oldest_event(world: World) -> None:
    old, young = (NOW - timedelta(minutes=age) for age in (90, 10))
    await write_events(
        world.database, [make_event(world.project, received_at=moment) for moment in (old, young)]
    )
    await world.destination("far_behind")
    await world.destination("nearly", position=1)
    await world.destination("done", position=2)
    async with world.database.acquire() as connection:
        await readers.ensure_reader(connection, world.project.id, "rollups", 0, NOW)
        await readers.ensure_reader(connection, world.project.id, "replay:1", 0, NOW)
    late = await found(world, "backlog_age", minutes=60)
    assert late.keys() == {"destination:far_behind", "reader:rollups"}
    assert late["destination:far_behind"].value == 90
    assert late["destination:far_behind"].text == (
        "Destination far_behind is behind: its oldest waiting event arrived 90 minutes ago."
    )
    assert (await found(world, "backlog_age", minutes=5)).keys() == {
        "destination:far_behind",
        "destination:nearly",
        "reader:rollups",
    }
    assert (await found(world, "backlog_age", minutes=5, destination="nearly")).keys() == {
        "destination:nearly"
    }
    assert await found(world, "backlog_age", minutes=90) == {}


async def test_a_parked_event_is_part_of_the_backlog(world: World) -> None:
    await world.destination("amplitude", position=10)
    await world.destination("other", position=10)
    async with world.database.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO parked_events (project_id, destination, person_id, seq, event_type, occurred_at, received_at,
                attempts, reason, parked_at, retry_at)
            VALUES ($1, 'amplitude', gen_random_uuid(), 5, 'page_view', $2, $2, 3, 'HTTP 503', $3, $3)
            """,
            world.project.id,
            NOW - timedelta(hours=3),
            NOW,
        )
    late = await found(world, "backlog_age", minutes=60)
    assert {subject: finding.value for subject, finding in late.items()} == {"destination:amplitude": 180}


async def test_the_share_of_events_that_failed(world: World) -> None:
    reasons = {"skipped": "filter", "discarded": DISCARDED}

    async def count(name: str, age: timedelta, **ends: int) -> None:
        counts = Counter(
            {
                CountKey.of(
                    NOW - age,
                    "page_view",
                    EndState.DEAD if end == "discarded" else EndState(end),
                    reasons.get(end, ""),
                ): n
                for end, n in ends.items()
            }
        )
        async with world.database.acquire() as connection:
            await add_counts(connection, world.project.id, name, counts)

    recently = timedelta(minutes=30)
    await count("bad", recently, delivered=90, dead=6, unknown=4, skipped=1000)
    await count("good", recently, delivered=95, dead=5)
    await count("small", recently, dead=19)
    await count("looked_at", recently, delivered=80, discarded=16, dead=4)
    await count(f"small{MARK}1", recently, dead=100)
    await count("long_ago", timedelta(hours=5), dead=100)
    failing = await found(world, "error_rate", percent=5, hours=1, at_least=20)
    assert {subject: finding.value for subject, finding in failing.items()} == {"destination:bad": 10}
    assert "10 of 100 events that arrived since 2026-03-10 11:00 UTC" in failing["destination:bad"].text
    assert (await found(world, "error_rate", percent=5, hours=5)).keys() == {
        "destination:bad",
        "destination:long_ago",
    }
    assert await found(world, "error_rate", percent=5, destination="good") == {}


async def test_paused_destinations_and_why(world: World) -> None:
    for name in ("amplitude", "mixpanel", "webhook"):
        await world.destination(name)
    await world.pause("amplitude")
    await world.pause("mixpanel", "paused by hand")
    async with world.database.write() as session:
        other = await create_project(session, "other", now=NOW)
    async with world.database.acquire() as connection:
        await readers.ensure_reader(connection, other.id, "deliver:elsewhere", 0, NOW)
        await readers.pause_by_hand(connection, other.id, "deliver:elsewhere", "x", NOW)
        await readers.ensure_reader(connection, world.project.id, "rollups", 0, NOW)
        await readers.pause_by_hand(connection, world.project.id, "rollups", "no destination", NOW)
    paused = await found(world, "destination_paused")
    assert {finding.text for finding in paused.values()} == {
        "Destination amplitude is paused: HTTP 401: no such key",
        "Destination mixpanel is paused: paused by hand",
    }
    assert (await found(world, "destination_paused", destination="mixpanel")).keys() == {
        "destination:mixpanel"
    }
    assert await found(world, "destination_paused", destination="webhook") == {}


async def test_an_event_type_that_stays_away(world: World) -> None:
    ago = {"signup_completed": 2, "page_view": 0.5}
    await write_events(
        world.database,
        [
            make_event(world.project, event_type, occurred_at=NOW - timedelta(hours=hours), received_at=NOW)
            for event_type, hours in ago.items()
        ],
    )
    missing = await found(world, "missing_event_type", event_type="signup_completed", minutes=60)
    assert [finding.text for finding in missing.values()] == [
        "No signup_completed for 2 hours: the last one happened at 2026-03-10 10:00 UTC."
    ]
    assert await found(world, "missing_event_type", event_type="page_view", minutes=60) == {}
    never = await world.rule("missing_event_type", {"event_type": "payment_completed", "minutes": 60})
    assert await look_again(world, never) == {}, "it has been waited for since now only"
    world.clock.move(minutes=61)
    (finding,) = (await look_again(world, never)).values()
    assert finding.text == "No payment_completed for 61 minutes: there has never been one."


async def test_a_job_that_fails_or_is_not_run(world: World) -> None:
    async def run(name: str, error: str | None) -> None:
        now = world.clock()
        hour = timedelta(hours=1)
        async with world.database.acquire() as connection:
            assert await claim_job(connection, name, "worker", now, lasts=hour, gap=hour)
            await finish_job(connection, name, "worker", now, error)

    rule = await world.rule("job_not_run")
    strict = await world.rule("job_not_run", {"job": "retention", "hours": 2})
    assert await look_again(world, rule) == {}, "a new installation has a while to run them"
    world.clock.move(hours=3.5)
    assert (await look_again(world, rule)).keys() == {"job:close-days"}
    assert (await look_again(world, strict)).keys() == {"job:retention"}
    await run("close-days", None)
    assert await look_again(world, rule) == {}
    world.clock.move(hours=3.5)
    await run("close-days", "ValueError: no such luck")
    (finding,) = (await look_again(world, rule)).values()
    assert (finding.subject, finding.value) == ("job:close-days", 3.5)
    assert "no such luck" not in finding.text, "jobs work for all projects"


async def test_retention_that_was_blocked(world: World) -> None:
    project_id = world.project.id
    assert await found(world, "retention_blocked") == {}
    async with world.database.acquire() as connection:
        await begin_run(connection, [project_id], NOW)
        await end_run(connection, project_id, {}, NOW)
        rule_id = await world.rule("retention_blocked", {"hours": 20})
        assert await look_again(world, rule_id) == {}
        await begin_run(connection, [project_id], NOW)
        await end_run(
            connection, project_id, {"page_view of 2026-01-01": "reader a is behind", "b": "c"}, NOW
        )
        assert await look_again(world, rule_id) == {}
        world.clock.move(days=1)
        # The next run is blocked as well: since the first of both.
        await begin_run(connection, [project_id], world.clock())
        await end_run(
            connection, project_id, {"page_view of 2026-01-01": "reader a is behind"}, world.clock()
        )
        assert await look_again(world, rule_id) == {
            "retention": Finding(
                "retention",
                24.0,
                "Retention could not remove page_view of 2026-01-01: reader a is behind.",
            )
        }
        await begin_run(connection, [project_id], world.clock())
        assert (await look_again(world, rule_id)).keys() == {"retention"}, "until the run has ended"
        await end_run(connection, project_id, {}, world.clock())
        assert await look_again(world, rule_id) == {}
