"""Rules on metrics: events in, alerts out at a webhook's receiver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.custom_metrics import add_metric, remove_metric
from analytics_api.alert.evaluation import figures_of, look
from analytics_api.domain.alert import Finding
from analytics_api.domain.event import NewEvent
from analytics_api.errors import Unprocessable
from analytics_api.store.alert_rules import find_rule, list_rules
from tests.support.alerting import JOBS, AlertReceiver, World, make_alerts
from tests.support.databases import in_thread
from tests.support.delivering import MovableClock
from tests.support.events import make_event, make_project, open_database, write_events
from tests.support.figures import LATE_DAYS, at, event_on, record

ERRORS = {
    "name": "error_rate",
    "measure": {
        "numerator": {"of": "events", "events": ["failed"]},
        "denominator": {"of": "events", "events": ["failed", "done"]},
    },
}
TUESDAY = date(2026, 3, 10)
"""The day that `world` begins on, at noon."""


def ago(days: int) -> date:
    return TUESDAY - timedelta(days=days)


def done(world: World, days: int, count: int, kind: str = "page_view") -> list[NewEvent]:
    return [event_on(world.project, ago(days), "ada", kind) for _ in range(count)]


async def found(world: World, kind: str, **parameters: Any) -> Finding | None:
    """What the rule finds now; it may find one thing at most."""
    rule_id = await world.rule(kind, parameters)
    async with world.database.acquire() as connection:
        rule = await find_rule(connection, world.project.id, rule_id)
        assert rule is not None
        figures = figures_of(world.database, world.project, world.clock(), LATE_DAYS)
        findings = await look(connection, rule, world.clock(), JOBS, figures)
        await connection.execute("DELETE FROM alert_rules WHERE id = $1", rule_id)
    assert len(findings) <= 1
    return next(iter(findings.values()), None)


async def test_a_limit_from_the_events_to_the_webhook_and_back(world: World, receiver: AlertReceiver) -> None:
    await world.hook(receiver)
    await add_metric(world.database, world.project, ERRORS, world.clock())
    await world.rule(
        "metric_threshold", {"metric": "error_rate", "above": 0.1}, name="Errors", remind_hours=2
    )
    await record(
        world.database, done(world, 2, 10, "done") + done(world, 1, 7, "done") + done(world, 1, 1, "failed")
    )
    assert await world.round() == {"firing": 1}
    await world.alerts.send()
    # The figure stays; so does the alert, with a reminder and without another message.
    assert await world.round() == {}
    assert await world.round(hours=3) == {"reminder": 1}
    await world.alerts.send()
    # The new day is over, and fine.
    await record(world.database, done(world, 0, 10, "done"))
    assert await world.round(hours=12) == {"resolved": 1}
    await world.alerts.send()
    subject = "metric:error_rate:daily"
    assert receiver.told == [("firing", subject), ("reminder", subject), ("resolved", subject)]
    data = receiver.alerts[0]["data"]
    assert (data["rule"], data["kind"], data["value"]) == ("Errors", "metric_threshold", 0.125)
    assert data["text"] == (
        "error_rate (daily) of 2026-03-09 is 12.50 % (1 of 8): above 10.00 %. State: settling, times in UTC."
    )


async def test_a_day_counts_an_hour_after_its_end(world: World) -> None:
    await record(world.database, done(world, 1, 5) + done(world, 0, 1))
    rule: Mapping[str, Any] = {"metric": "page_views", "below": 3}
    assert await found(world, "metric_threshold", **rule) is None
    world.clock.now = at("2026-03-11", 0, 59)
    assert await found(world, "metric_threshold", **rule) is None
    world.clock.now = at("2026-03-11", 1)
    low = await found(world, "metric_threshold", **rule)
    assert low is not None
    assert low.value == 1
    # In a zone where that day is still on.
    await world.database.pool.execute("UPDATE projects SET time_zone = 'America/St_Johns'")
    west = World(world.database, await make_project(world.database), world.clock, world.alerts)
    assert west.project.zone == ZoneInfo("America/St_Johns")
    assert await found(west, "metric_threshold", **rule) is None


async def test_a_day_that_is_not_wholly_counted_does_not_fire(world: World) -> None:
    await record(world.database, done(world, 2, 5) + done(world, 1, 1))
    rule: Mapping[str, Any] = {"metric": "page_views", "below": 3}
    low = await found(world, "metric_threshold", **rule)
    assert low is not None
    await write_events(world.database, done(world, 1, 4))
    assert await found(world, "metric_threshold", **rule) is None
    # What arrives later holds nothing up.
    await record(world.database, [])
    late = [make_event(world.project, occurred_at=at(ago(1)), received_at=at(TUESDAY))]
    await write_events(world.database, late)
    assert await found(world, "metric_threshold", metric="page_views", below=6) is not None


async def test_only_final_figures(world: World) -> None:
    await record(world.database, done(world, 9, 1) + done(world, 8, 5) + done(world, 7, 1))
    rule: Mapping[str, Any] = {"metric": "page_views", "state": "final"}
    assert await found(world, "metric_threshold", below=3, **rule) is None
    high = await found(world, "metric_threshold", above=3, **rule)
    assert high is not None
    assert "2026-03-02 is 5: above 3. State: final" in high.text


async def test_without_events_nothing_fires(world: World) -> None:
    for kind, more in (
        ("metric_threshold", {"below": 5}),
        ("metric_change", {"percent": 1}),
        ("metric_anomaly", {}),
    ):
        assert await found(world, kind, metric="page_views", **more) is None


async def test_changes(world: World) -> None:
    await record(world.database, done(world, 2, 4) + done(world, 1, 6))

    async def change(**parameters: Any) -> float | None:
        finding = await found(world, "metric_change", metric="page_views", **parameters)
        return None if finding is None else finding.value

    assert await change(percent=50) == 50
    assert await change(percent=50.1) is None
    assert await change(percent=50, side="up") == 50
    assert await change(percent=50, side="down") is None
    assert await change(absolute=2) == 2
    assert await change(absolute=2.5) is None
    assert await change(percent=50, at_least=6) == 50
    assert await change(percent=50, at_least=7) is None
    world.clock.move(days=1)
    assert await change(percent=100, side="down") == -100
    finding = await found(world, "metric_change", metric="page_views", percent=10)
    assert finding is not None
    assert "2026-03-10 is 0: -100 % against 6 of 2026-03-09" in finding.text
    world.clock.move(days=1)
    # From nothing to nothing.
    assert await change(percent=1) is None
    await record(world.database, done(world, -1, 3))
    # A percentage of nothing is none.
    assert await change(percent=1) is None
    assert await change(absolute=3) == 3


async def test_small_denominators_say_nothing(world: World) -> None:
    await add_metric(world.database, world.project, ERRORS, world.clock())
    await record(world.database, done(world, 1, 1, "failed") + done(world, 1, 1, "done"))
    rule: Mapping[str, Any] = {"metric": "error_rate", "above": 0.1}
    assert await found(world, "metric_threshold", at_least=2, **rule) is not None
    assert await found(world, "metric_threshold", at_least=3, **rule) is None


async def test_the_same_weekday_of_the_last_weeks(world: World) -> None:
    # Mondays have 10 views, other days 1; the newest Monday, yesterday, has 2.
    events = [event for days in range(2, 70) for event in done(world, days, 10 if (days - 1) % 7 == 0 else 1)]
    await record(world.database, events + done(world, 1, 2))
    low = await found(world, "metric_anomaly", metric="page_views")
    assert low is not None
    # No spread at all: a hundredth of the median stands for it.
    assert low.value == -80
    assert "unlike the last 8 Mondays: their median is 10, the robust z-score -80.0" in low.text
    assert await found(world, "metric_anomaly", metric="page_views", side="up") is None
    assert await found(world, "metric_anomaly", metric="page_views", z=81) is None
    assert await found(world, "metric_anomaly", metric="page_views", at_least=11) is None
    # Tuesdays are as they always are.
    await record(world.database, done(world, 0, 1))
    world.clock.move(days=1)
    assert await found(world, "metric_anomaly", metric="page_views") is None


async def test_a_week_against_the_weeks_before(world: World) -> None:
    await add_metric(
        world.database,
        world.project,
        {"name": "views", "measure": {"of": "events", "events": ["page_view"]}},
        world.clock(),
    )
    events = [event for weeks in range(2, 9) for event in done(world, 7 * weeks, 20 + weeks % 2)]
    await record(world.database, events + done(world, 7, 40))
    odd = await found(world, "metric_anomaly", metric="views", period="weekly", periods=4)
    assert odd is not None
    assert odd.subject == "metric:views:weekly"
    assert "views (weekly) of 2026-03-02 is 40: unlike the last 4: their median is 20.5" in odd.text


async def test_a_short_past_says_nothing(world: World) -> None:
    await record(world.database, [e for weeks in range(1, 5) for e in done(world, 1 + 7 * weeks, 10)])
    # Three Mondays, as the project's first day may be a part of one.
    assert await found(world, "metric_anomaly", metric="page_views") is None


async def test_a_metric_that_is_not_there(world: World) -> None:
    with pytest.raises(Unprocessable, match=r"^parameters\.metric: 'moo' is not known"):
        await world.rule("metric_threshold", {"metric": "moo", "above": 1})
    with pytest.raises(Unprocessable, match=r"^parameters\.period: dau is daily"):
        await world.rule("metric_threshold", {"metric": "dau", "above": 1, "period": "weekly"})
    with pytest.raises(Unprocessable, match=r"^parameters: give above, below or both"):
        await world.rule("metric_threshold", {"metric": "dau"})
    with pytest.raises(Unprocessable, match=r"^parameters: give percent or absolute"):
        await world.rule("metric_change", {"metric": "dau"})
    with pytest.raises(Unprocessable, match=r"^parameters\.above: use a finite number"):
        await world.rule("metric_threshold", {"metric": "dau", "above": float("inf")})


async def test_alerts_of_a_metric_that_was_removed_stay_and_the_rule_says_why(world: World) -> None:
    await add_metric(world.database, world.project, ERRORS, world.clock())
    await world.rule("metric_threshold", {"metric": "error_rate", "above": 0.1})
    await record(world.database, done(world, 1, 1, "failed"))
    assert await world.round() == {"firing": 1}
    await remove_metric(world.database, world.project, "error_rate", world.clock())
    assert await world.round() == {}
    async with world.database.acquire() as connection:
        [rule] = await list_rules(connection, world.project.id)
    assert rule.last_error == "there is no metric error_rate"
    assert len(await world.current()) == 1


def each_hour(world: World, begin: datetime, count: int) -> list[NewEvent]:
    return [make_event(world.project, occurred_at=begin + timedelta(minutes=5)) for _ in range(count)]


async def views(world: World) -> None:
    measure = {"of": "events", "events": ["page_view"]}
    await add_metric(world.database, world.project, {"name": "views", "measure": measure}, world.clock())


async def test_the_same_hour_of_the_same_weekday(world: World) -> None:
    await views(world)
    # In Berlin the clock goes forward on 2026-03-29: 12:00 there is 11:00 UTC before and 10:00 UTC after.
    await world.database.pool.execute("UPDATE projects SET time_zone = 'Europe/Berlin'")
    berlin = World(world.database, await make_project(world.database), world.clock, world.alerts)
    noons = [datetime(2026, 4, 5, 10, tzinfo=UTC) - timedelta(days=7 * week) for week in range(1, 7)]
    noons = [noon + timedelta(hours=1 if noon < datetime(2026, 3, 29, tzinfo=UTC) else 0) for noon in noons]
    past = [event for noon in noons for event in each_hour(world, noon, 10)]
    now = datetime(2026, 4, 5, 10, tzinfo=UTC)
    await record(world.database, past + each_hour(world, now, 2))
    rule: Mapping[str, Any] = {"metric": "views", "period": "hourly"}
    world.clock.now = datetime(2026, 4, 5, 11, 9, tzinfo=UTC)
    # The hour before is over; it has been without views in all weeks.
    assert await found(berlin, "metric_anomaly", **rule) is None
    world.clock.now = datetime(2026, 4, 5, 11, 10, tzinfo=UTC)
    odd = await found(berlin, "metric_anomaly", **rule)
    assert odd is not None
    assert odd.subject == "metric:views:hourly"
    # Five Sundays: the project's first day may be a part of one.
    assert odd.text.startswith(
        "views (hourly) of 2026-04-05 12:00 is 2: unlike the last 5 Sundays at 12:00: "
    )
    assert await found(berlin, "metric_threshold", below=3, **rule) is not None
    rise = await found(berlin, "metric_change", absolute=2, **rule)
    assert rise is not None
    assert "+2 against 0 of 2026-04-05 11:00" in rise.text


async def test_an_hour_that_is_not_wholly_counted_does_not_fire(world: World) -> None:
    await views(world)
    world.clock.now = at(TUESDAY, 12, 30)
    await record(world.database, each_hour(world, at(TUESDAY, 9), 5) + each_hour(world, at(TUESDAY, 10), 5))
    rule: Mapping[str, Any] = {"metric": "views", "period": "hourly", "below": 3}
    assert await found(world, "metric_threshold", **rule) is not None
    await write_events(world.database, each_hour(world, at(TUESDAY, 11), 5))
    assert await found(world, "metric_threshold", **rule) is None
    await record(world.database, [])
    assert await found(world, "metric_threshold", **rule) is None
    with pytest.raises(Unprocessable, match=r"^parameters\.period: dau is daily"):
        await world.rule("metric_threshold", {"metric": "dau", "above": 1, "period": "hourly"})
    with pytest.raises(Unprocessable, match=r"^parameters: state: hours are looked at"):
        await world.rule("metric_threshold", {**rule, "state": "final"})


# Against plain Python

slow = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def compare(url: str, counts: list[int], periods: int, z: float) -> None:
    """`counts`: page views of the days before today, the newest first."""
    async with open_database(url) as database:
        project = await make_project(database, f"p{abs(hash(json.dumps(counts)))}")
        clock = MovableClock()
        world = World(database, project, clock, make_alerts(database, clock))
        events = [event for n, count in enumerate(counts) for event in done(world, n + 1, count)]
        oldest = done(world, len(counts) + 1, 1)
        await record(database, oldest + events)
        anomaly = await found(world, "metric_anomaly", metric="page_views", periods=periods, z=z)
        jump = await found(world, "metric_change", metric="page_views", percent=50)
        await world.close()

    past = [float(count) for count in counts[7::7]][:periods]
    expected = None
    if len(past) >= 4:
        centre = middle(past)
        scale = max(1.4826 * middle([abs(value - centre) for value in past]), centre / 100)
        score = (counts[0] - centre) / scale if scale else float("inf")
        expected = counts[0] != centre and abs(score) >= z
    assert (anomaly is not None) is bool(expected), (counts, anomaly)
    assert (jump is not None) is (counts[1] > 0 and abs(counts[0] - counts[1]) / counts[1] >= 0.5)


def middle(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


@slow
@given(
    counts=st.lists(st.integers(0, 6), min_size=2, max_size=60),
    periods=st.integers(4, 7),
    z=st.sampled_from([0.5, 2, 3.5]),
)
def test_rules_find_what_plain_python_finds(
    database_url: str, counts: list[int], periods: int, z: float
) -> None:
    in_thread(compare(database_url, counts, periods, z))
