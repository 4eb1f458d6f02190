"""Days of 23, 24 and 25 hours, zones of odd minutes, and questions in another zone than the project's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.closing import close_due_days
from analytics_api.domain.event import NewEvent
from analytics_api.domain.metrics import METRICS
from analytics_api.domain.period import bucket_of, next_bucket, start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.metrics.answer import Figures
from analytics_api.store.projects import create_project
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import LATE_DAYS, record, values
from tests.support.recount import Recount

NOW = datetime(2026, 12, 20, 12, tzinfo=UTC)
DAYS = [
    ("Asia/Kathmandu", "2026-03-29", 24),
    ("America/St_Johns", "2026-01-15", 24),
    ("America/St_Johns", "2026-03-08", 23),
    ("America/St_Johns", "2026-11-01", 25),
    ("Europe/Berlin", "2026-03-29", 23),
    ("Europe/Berlin", "2026-10-25", 25),
]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
async def test_a_day_is_from_midnight_to_midnight(
    database: Database, zone: str, day: str, hours: int
) -> None:
    """Somebody at every full half hour and in the last microsecond; a neighbour just outside on either side."""
    project = await make_project(database, time_zone=zone)
    the_day = date.fromisoformat(day)
    start = start_of_day(the_day, ZoneInfo(zone))
    instant = timedelta(microseconds=1)
    moments = [start + timedelta(minutes=30 * n) for n in range(2 * hours)]
    moments += [start + timedelta(hours=hours) - instant]
    outside = [start - instant, start + timedelta(hours=hours)]
    await record(
        database,
        [
            make_event(project, "feature_used", user_id=f"p{number}", occurred_at=moment)
            for number, moment in enumerate([*moments, *outside])
        ],
    )
    around = the_day - timedelta(days=1), the_day + timedelta(days=1)
    expected = [1, 2 * hours + 1, 1]
    for _ in range(2):
        for name in ("dau", "new_persons", "events"):
            found = await values(database, project, name, *around, now=NOW)
            assert list(found.values()) == expected, name
        await close_due_days(database, NOW, late_days=LATE_DAYS)


@pytest.mark.parametrize(("week_start", "first"), [(1, "2026-10-19"), (7, "2026-10-25"), (3, "2026-10-21")])
async def test_weeks_begin_on_the_project_s_day(database: Database, week_start: int, first: str) -> None:
    """The last hour of a Sunday of 25 hours, in the zone."""
    async with database.write() as connection:
        project = await create_project(
            connection, "weeks", time_zone="Europe/Berlin", week_start=week_start, now=NOW
        )
    moment = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)
    await record(database, [make_event(project, "feature_used", occurred_at=moment)])
    weeks = await values(database, project, "wau", "2026-10-12", "2026-11-02", now=NOW)
    assert {week: value for week, value in weeks.items() if value} == {date.fromisoformat(first): 1}
    await close_due_days(database, NOW, late_days=LATE_DAYS)
    assert await values(database, project, "wau", "2026-10-12", "2026-11-02", now=NOW) == weeks


HOMES = ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin"]
ASKED = ["Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"]
START = datetime(2026, 10, 22, tzinfo=UTC)  # clocks change in Berlin on the 25th, in St. John's on the 1st

happening = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            [
                "feature_used",
                "page_view",
                "signup_completed",
                "payment_completed",
                "payment_failed",
                "payment_refunded",
                "subscription_created",
                "subscription_cancelled",
                "api_request",
                "$identify",
            ]
        ),
        "person": st.sampled_from(["a", "b", None]),
        "device": st.sampled_from(["d", None]),
        # In the days around both changes, or long before.
        "minutes": st.integers(0, 12 * 24 * 60)
        | st.integers(0, 24 * 12).map(lambda half: half * 30)
        | st.sampled_from([-150 * 24 * 60, -70 * 24 * 60]),
        "is_bot": st.sampled_from([False, False, True]),
        "payment": st.sampled_from(["p1", "p2"]),
    }
)


def build(project: Project, items: Sequence[dict[str, Any]]) -> list[NewEvent]:
    return [
        make_event(
            project,
            item["kind"],
            user_id=item["person"],
            anonymous_id=item["device"],
            event_id=f"{project.slug}-{index}",
            occurred_at=START + timedelta(minutes=item["minutes"]),
            event_data={"payment_id": item["payment"], "refund_id": item["payment"], "amount": "5"},
            revenue="5" if item["kind"] == "payment_completed" else None,
            is_bot=item["is_bot"],
        )
        for index, item in enumerate(items)
    ]


async def answers(database: Database, project: Project, zone: ZoneInfo | None, *, bots: bool) -> Any:
    """All figures of all metrics from September on."""
    async with database.read() as connection:
        figures = await Figures.of(connection, project, NOW, LATE_DAYS, zone)
        return {
            metric.name: [
                (point.bucket, point.figure, point.state, point.partial)
                for point in await figures.points(
                    metric, date(2026, 9, 20), date(2026, 12, 20), include_bots=bots
                )
            ]
            for metric in METRICS
        }


async def play(url: str, items: Sequence[dict[str, Any]], home: str, asked: str) -> None:
    async with open_database(url) as database:
        elsewhere = await make_project(database, f"h{uuid4().hex[:12]}", time_zone=home)
        native = await make_project(database, f"n{uuid4().hex[:12]}", time_zone=asked)
        events = build(elsewhere, items)
        await record(database, [*events, *build(native, items)])
        zone = ZoneInfo(asked)
        for bots in (False, True):
            found = await answers(database, elsewhere, zone, bots=bots)
            assert found == await answers(database, native, None, bots=bots)
        if not any(item["kind"] == "$identify" for item in items):
            recount(replace(elsewhere, zone=zone), events, found)


def recount(project: Project, events: Sequence[NewEvent], found: Any) -> None:
    """The answers with bots equal a recount in plain Python."""
    oracle = Recount(project, events)
    for metric in METRICS:
        for bucket, figure, _, _ in found[metric.name]:
            assert bucket == bucket_of(bucket, metric.period)
            ends = bucket, next_bucket(bucket, metric.period)
            if metric.name in ("dau", "wau", "mau"):
                assert figure.value == len(oracle.active(*ends, bots=True))
            elif metric.name == "mau_rolling":
                assert figure.value == oracle.rolling(bucket, 30, bots=True)
            elif metric.name == "new_persons":
                assert figure.value == oracle.new_persons(*ends, bots=True)
            elif metric.name in ("revenue", "weekly_revenue", "monthly_revenue"):
                assert figure.value == oracle.revenue(*ends, bots=True)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=st.lists(happening, min_size=1, max_size=25),
    home=st.sampled_from(HOMES),
    asked=st.sampled_from(ASKED),
)
def test_another_zone_is_answered_as_by_a_project_of_that_zone(
    database_url: str, items: list[dict[str, Any]], home: str, asked: str
) -> None:
    in_thread(play(database_url, items, home, asked))
