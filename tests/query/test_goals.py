"""Goals over HTTP: the guide's weekly and monthly ones with their numbers, goals by a date, and what is said of mistakes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.events import make_event
from tests.support.figures import at, event_on, record

MONDAY = date(2026, 3, 2)
"""The product's first day."""
COUNTED = {
    "file_uploads": "file_upload",
    "completed_analyses": "analysis_complete",
    "feedback_downloads": "feedback_download",
}
WEEK = {"wau": 100, "file_uploads": 50, "completed_analyses": 25, "feedback_downloads": 10}
MONTH = {"mau": 1_000, "file_uploads": 500, "completed_analyses": 250, "feedback_downloads": 100}


async def define(api: Api) -> None:
    """What the guide tracks."""
    for name, kind in COUNTED.items():
        await api.post("/metrics/custom", {"name": name, "measure": {"of": "events", "events": [kind]}}, 201)
    await api.post(
        "/metrics/custom",
        {
            "name": "analysis_seconds",
            "unit": "seconds",
            "measure": {"of": "average", "property": "event_data.seconds", "events": ["analysis_complete"]},
        },
        201,
    )
    both = ["analysis_complete", "analysis_failed"]
    await api.post(
        "/metrics/custom",
        {
            "name": "error_rate",
            "measure": {
                "numerator": {"of": "events", "events": ["analysis_failed"]},
                "denominator": {"of": "events", "events": both},
            },
        },
        201,
    )


async def set_goal(api: Api, metric: str, target: float, period: str, **more: Any) -> int:
    body = {"title": f"{metric} by {period}", "metric": metric, "target": target, "period": period}
    made = await api.post("/goals", {**body, "starts_on": MONDAY.isoformat(), **more}, 201)
    number: int = made["id"]
    return number


def use(
    project: Project, day: date, users: range, uploads: int, completed: int, downloads: int, failed: int = 0
) -> list[NewEvent]:
    """A day of the product, the users' first."""
    first = f"user-{users.start}"
    return [
        *[event_on(project, day, f"user-{user}", "page_view") for user in users],
        *[event_on(project, day, first, "file_upload") for _ in range(uploads)],
        *[
            event_on(project, day, first, "analysis_complete", event_data={"seconds": 4})
            for _ in range(completed)
        ],
        *[event_on(project, day, first, "feedback_download") for _ in range(downloads)],
        *[event_on(project, day, first, "analysis_failed") for _ in range(failed)],
    ]


async def status(api: Api) -> dict[str, str]:
    answer = await api.get("/goals")
    return {f"{goal['metric']} {goal['period']}": goal["current"]["status"] for goal in answer["goals"]}


async def test_the_goals_of_the_guide(api: Api, database: Database, project: Project) -> None:
    await define(api)
    for metric, target in WEEK.items():
        await set_goal(api, metric, target, "week")
    for metric, target in MONTH.items():
        await set_goal(api, metric, target, "month")
    await set_goal(api, "analysis_seconds", 5, "week", direction="at_most")
    await set_goal(api, "error_rate", 0.01, "week", direction="at_most")

    api.now = at("2026-03-01")
    assert set((await status(api)).values()) == {"not_started", "behind"}
    # The first half of the week: Monday to Thursday noon is exactly half of it.
    await record(database, use(project, MONDAY, range(60), 20, 13, 10))
    api.now = at("2026-03-05", 12)
    assert await status(api) == {
        "wau week": "on_track",
        "file_uploads week": "behind",
        "completed_analyses week": "on_track",
        "feedback_downloads week": "reached",
        "mau month": "behind",
        "file_uploads month": "behind",
        "completed_analyses month": "behind",
        "feedback_downloads month": "behind",
        "analysis_seconds week": "on_track",
        "error_rate week": "on_track",
    }
    goals = (await api.get("/goals"))["goals"]
    current = goals[1]["current"]
    assert (current["start"], current["end"]) == ("2026-03-02", "2026-03-08")
    assert (current["value"], current["share"], current["elapsed"]) == (20.0, 0.4, 0.5)
    assert (current["expected"], current["projected"], current["state"]) == (25.0, 40.0, "open")
    assert current["figure"]["definition"] == "Events file_upload."
    # What does not grow is held against the target itself.
    seconds = goals[8]["current"]
    assert (seconds["value"], seconds["expected"], seconds["projected"]) == (4.0, 5.0, 4.0)
    assert (seconds["figure"]["denominator"], seconds["figure"]["small_sample"]) == (13.0, True)

    # The week after: the first is judged.
    await record(database, use(project, MONDAY + timedelta(days=6), range(60, 100), 30, 11, 0, failed=1))
    api.now = at("2026-03-09")
    weeks = [goal for goal in (await api.get("/goals"))["goals"] if goal["period"] == "week"]
    first = {}
    for goal in weeks:
        shown = await api.get(f"/goals/{goal['id']}")
        assert len(shown["history"]) == 1
        first[goal["metric"]] = shown["history"][0]
    assert {metric: (week["value"], week["status"]) for metric, week in first.items()} == {
        "wau": (100.0, "reached"),
        "file_uploads": (50.0, "reached"),
        "completed_analyses": (24.0, "missed"),
        "feedback_downloads": (10.0, "reached"),
        "analysis_seconds": (4.0, "reached"),
        "error_rate": (0.04, "missed"),
    }
    assert {week["state"] for week in first.values()} == {"settling"}
    assert (await status(api))["analysis_seconds week"] == "no_data"

    api.now = at("2026-04-20")
    month = await api.get("/goals/5", periods=3)
    assert (month["metric"], month["current"]["start"], month["current"]["value"]) == (
        "mau",
        "2026-04-01",
        0.0,
    )
    assert [(each["start"], each["value"], each["status"], each["state"]) for each in month["history"]] == [
        ("2026-03-01", 100.0, "missed", "final")
    ]
    weekly = await api.get("/goals/2", periods=3)
    assert [each["start"] for each in weekly["history"]] == ["2026-04-13", "2026-04-06", "2026-03-30"]


async def test_a_goal_by_a_date(api: Api, database: Database, project: Project) -> None:
    await api.post("/metrics/custom", {"name": "visitors", "measure": {"of": "persons"}}, 201)
    stretch = {"starts_on": "2026-03-02", "ends_on": "2026-03-11"}
    goals = [
        await set_goal(api, "visitors", 3, "until", **stretch),
        await set_goal(api, "page_views", 8, "until", **stretch),
        await set_goal(api, "mau_rolling", 3, "until", **stretch),
        await set_goal(api, "dau", 2, "until", **stretch),
        await set_goal(api, "page_views", 3, "until", direction="at_most", **stretch),
    ]
    events = [
        *[event_on(project, "2026-03-02", person, "page_view") for person in ("ada", "bob")],
        *[event_on(project, "2026-03-06", person, "page_view") for person in ("ada", "bob")],
        event_on(project, "2026-03-01", "cleo", "page_view"),
        event_on(project, "2026-03-12", "dan", "page_view"),
    ]
    await record(database, events)

    async def current(goal: int) -> tuple[Any, ...]:
        found = (await api.get(f"/goals/{goal}"))["current"]
        return found["value"], found["projected"], found["status"]

    api.now = at("2026-03-07", 0)
    # Half of the days are over. cleo came before.
    assert await current(goals[0]) == (2.0, 4.0, "on_track")
    assert await current(goals[1]) == (4.0, 8.0, "on_track")
    assert await current(goals[2]) == (3.0, 3.0, "on_track")
    assert await current(goals[3]) == (2.0, 2.0, "on_track")
    assert await current(goals[4]) == (4.0, 8.0, "missed")
    api.now = at("2026-03-13")
    assert [await current(goal) for goal in goals] == [
        (2.0, 2.0, "missed"),
        (4.0, 4.0, "missed"),
        (3.0, 3.0, "reached"),
        (0.0, 0.0, "missed"),
        (4.0, 4.0, "missed"),
    ]
    shown = (await api.get(f"/goals/{goals[0]}"))["current"]
    assert shown["figure"]["window"] == {"start": "2026-03-02", "end": "2026-03-11"}
    assert shown["state"] == "settling"
    # As many as the sum of the days says, in the project's zone.
    total = await api.get(
        "/metrics/aggregated", metric_type="page_views", start_date="2026-03-02", end_date="2026-03-11"
    )
    assert sum(point["value"] for point in total) == 4.0


async def test_days_of_23_hours(api: Api, database: Database) -> None:
    await database.pool.execute("UPDATE projects SET time_zone = 'Europe/Berlin'")
    goal = await set_goal(api, "page_views", 10, "until", starts_on="2026-03-29", ends_on="2026-03-29")
    api.now = at("2026-03-29", 10, 30)
    # Midnight was at 23:00 UTC; half of the 23 hours is over at 10:30.
    assert (await api.get(f"/goals/{goal}"))["current"]["elapsed"] == 0.5


async def test_a_goal_is_changed_and_removed(api: Api, database: Database, project: Project) -> None:
    await record(database, [make_event(project, "page_view", occurred_at=at(MONDAY))])
    goal = await set_goal(api, "page_views", 5, "week")
    body = {"title": "Views", "metric": "page_views", "target": 1, "period": "week"}
    changed = await api.put(f"/goals/{goal}", body)
    assert (changed["starts_on"], changed["target"]) == ("2026-03-02", 1.0)
    assert (await api.get(f"/goals/{goal}"))["history"][-1]["status"] == "reached"
    await api.put("/goals/99", body, 404)
    await api.delete(f"/goals/{goal}")
    await api.delete(f"/goals/{goal}", 404)
    await api.get(f"/goals/{goal}", 404)


async def test_a_goal_whose_metric_is_gone_says_so(api: Api) -> None:
    await api.post("/metrics/custom", {"name": "visitors", "measure": {"of": "persons"}}, 201)
    await set_goal(api, "visitors", 3, "week")
    await api.delete("/metrics/custom/visitors")
    [goal] = (await api.get("/goals"))["goals"]
    assert (goal["current"], goal["problem"]) == (None, "metric: there is no metric visitors any more.")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metric": "moo"}, "metric: 'moo' is not known"),
        ({"metric": "mrr"}, "metric: mrr has monthly figures; use period month or until"),
        ({"metric": "wau", "period": "month"}, "metric: wau has weekly figures; use period week or until"),
        ({"target": 0}, "target: at least 0 says nothing"),
        ({"target": -1}, "target: use a number from 0"),
        ({"title": " "}, "title: use 1 to 200"),
        ({"period": "until"}, "ends_on: give the last day"),
        ({"period": "until", "ends_on": "2036-03-02"}, None),
        (
            {"period": "until", "ends_on": "2036-03-20"},
            "ends_on: give the last day that counts, at most 3660",
        ),
        ({"ends_on": "2026-03-01"}, "ends_on: use a day from starts_on, 2026-03-02"),
        ({"starts_on": "0001-01-01"}, "starts_on: use a day from 1971-01-01"),
    ],
)
async def test_a_mistake_is_named_with_its_field(api: Api, change: dict[str, Any], words: str | None) -> None:
    body = {
        "title": "Views",
        "metric": "page_views",
        "target": 5,
        "period": "week",
        "starts_on": "2026-03-02",
        **change,
    }
    answer = await api.post("/goals", body, 422 if words else 201)
    assert words is None or answer["detail"].startswith(words)
