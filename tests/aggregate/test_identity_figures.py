"""Figures and revisions when two persons turn out to be one, and when that is taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from analytics_api.aggregate.closing import close_due_days
from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import (
    LATE_DAYS,
    at,
    event_on,
    payment_on,
    point,
    record,
    subscription_on,
    values,
)

NOW = at("2026-11-20")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


def merge(project: Project, user: str, other: str, day: str = "2026-11-01", kind: str = "$alias") -> NewEvent:
    return make_event(project, kind, user_id=user, occurred_at=at(day), event_data={"from_user_id": other})


def device_on(project: Project, day: str, device: str, kind: str = "feature_used", **more: Any) -> NewEvent:
    return make_event(project, kind, user_id=None, anonymous_id=device, occurred_at=at(day), **more)


async def test_the_example_of_the_definitions(database: Database, project: Project) -> None:
    """A active Monday, B Monday and Tuesday, C Sunday; then C and A are merged."""
    seen = [("2026-03-02", "a"), ("2026-03-02", "b"), ("2026-03-03", "b"), ("2026-03-08", "c")]
    await record(database, [event_on(project, day, person) for day, person in seen])
    sunday = date(2026, 3, 8)
    assert await values(database, project, "wau_rolling", sunday, sunday, now=NOW) == {sunday: 3}
    await record(database, [merge(project, "a", "c")])
    assert await values(database, project, "wau_rolling", sunday, sunday, now=NOW) == {sunday: 2}
    daily = await values(database, project, "new_persons", "2026-03-02", "2026-03-08", now=NOW)
    assert list(daily.values()) == [2, 0, 0, 0, 0, 0, 0]
    await record(database, [merge(project, "a", "c", "2026-11-02", "$unalias")])
    assert await values(database, project, "wau_rolling", sunday, sunday, now=NOW) == {sunday: 3}


async def test_the_earliest_signup_and_the_earliest_payment_count(
    database: Database, project: Project
) -> None:
    """Seen on a device in January, signed up on it in February, paid as a known person in March."""
    await record(
        database,
        [
            device_on(project, "2026-01-10", "d"),
            device_on(project, "2026-02-10", "d", "signup_completed"),
            event_on(project, "2026-03-01", "ada", "signup_completed"),
            payment_on(project, "2026-03-05", "ada", "10"),
        ],
    )
    await record(
        database,
        [make_event(project, "$identify", user_id="ada", anonymous_id="d", occurred_at=at("2026-03-01"))],
    )
    for day, signups, converted in (("2026-02-10", 1, 1), ("2026-03-01", 0, None)):
        found = await point(database, project, "signup_to_payment_conversion", day, now=NOW)
        assert found.figure.denominator == signups
        assert found.figure.value == converted
    new = await values(database, project, "new_persons", "2026-01-10", "2026-03-01", now=NOW)
    assert {day for day, number in new.items() if number} == {date(2026, 1, 10)}


async def test_final_figures_that_a_merge_changes_leave_revisions(
    database: Database, project: Project
) -> None:
    await record(
        database,
        [
            event_on(project, "2026-03-02", "ada"),
            device_on(project, "2026-03-02", "d"),
            device_on(project, "2026-03-04", "d"),
        ],
    )
    await close_due_days(database, NOW, late_days=LATE_DAYS)
    say = make_event(project, "$identify", user_id="ada", anonymous_id="d", occurred_at=NOW)
    await record(database, [say])
    [report] = await close_due_days(database, NOW + timedelta(hours=1), late_days=LATE_DAYS)
    assert report.corrected_days == 2
    changed = await revisions(database)
    assert changed["dau", date(2026, 3, 2)] == (2, 1, "merge")
    assert changed["new_persons", date(2026, 3, 2)] == (2, 1, "merge")
    assert changed["mau", date(2026, 3, 1)] == (2, 1, "merge")
    assert not {name for name, _ in changed} & {"events", "revenue", "mrr", "page_views"}

    undo = make_event(
        project, "$unalias", user_id="ada", occurred_at=NOW, event_data={"from_anonymous_id": "d"}
    )
    await record(database, [undo])
    await close_due_days(database, NOW + timedelta(hours=2), late_days=LATE_DAYS)
    assert (await revisions(database))["dau", date(2026, 3, 2)] == (1, 2, "split")


async def revisions(database: Database) -> dict[tuple[str, date], tuple[Any, ...]]:
    """The newest revision of each figure."""
    rows = await database.pool.fetch("SELECT * FROM metric_revisions ORDER BY id")
    return {
        (row["metric_type"], row["metric_date"]): (row["old_value"], row["new_value"], row["cause"])
        for row in rows
    }


async def test_two_customers_who_are_one_churn_and_come_back(database: Database, project: Project) -> None:
    """One leaves in January, the other joins in March; as one person that is a reactivation."""
    await record(
        database,
        [
            subscription_on(project, "2026-01-05", "old", "created", "10", interval="month"),
            subscription_on(project, "2026-01-20", "old", "cancelled"),
            subscription_on(project, "2026-03-05", "new", "created", "20", interval="month"),
        ],
    )
    await close_due_days(database, NOW, late_days=LATE_DAYS)

    async def march() -> tuple[object, ...]:
        found = (await point(database, project, "mrr", "2026-03-01", now=NOW)).figure
        return found.value, found.details["new"], found.details["reactivation"]

    assert await march() == (20, 20, 0)
    await record(database, [merge(project, "new", "old")])
    assert await march() == (20, 0, 20)
    await close_due_days(database, NOW, late_days=LATE_DAYS)
    assert await march() == (20, 0, 20)


async def test_one_visit_before_and_after_login_is_one_session(database: Database, project: Project) -> None:
    def seen(minute: int, user: str | None) -> NewEvent:
        moment = at("2026-03-02", 12, minute)
        return make_event(project, "page_view", user_id=user, anonymous_id="d", occurred_at=moment)

    await record(database, [seen(0, None), seen(10, None), seen(20, "ada"), seen(30, "ada")])
    assert (await point(database, project, "sessions", "2026-03-02", now=NOW)).figure.value == 2
    say = make_event(
        project, "$identify", user_id="ada", anonymous_id="d", occurred_at=at("2026-03-02", 12, 15)
    )
    await record(database, [say])
    assert (await point(database, project, "sessions", "2026-03-02", now=NOW)).figure.value == 1


async def test_two_users_of_one_device_stay_two_persons(database: Database, project: Project) -> None:
    """The device belongs to the first of them, though the second is heard of before."""
    await record(
        database, [device_on(project, "2026-03-01", "shared"), event_on(project, "2026-03-01", "ada")]
    )
    for user, day in (("bob", "2026-03-09"), ("ada", "2026-03-03")):
        say = make_event(
            project, "$identify", user_id=user, anonymous_id="shared", occurred_at=at(day), trusted=False
        )
        await record(database, [say])
    assert (await point(database, project, "dau", "2026-03-01", now=NOW)).figure.value == 1
    names = await database.pool.fetch("SELECT user_id, anonymous_id FROM persons ORDER BY user_id")
    assert [(row["user_id"], row["anonymous_id"]) for row in names] == [("ada", "shared"), ("bob", "shared")]


async def test_a_public_key_joins_no_two_known_persons(database: Database, project: Project) -> None:
    def said(**data: str) -> NewEvent:
        return make_event(project, "$alias", user_id="ada", occurred_at=NOW, event_data=data, trusted=False)

    await record(database, [event_on(project, "2026-03-02", person) for person in ("ada", "bob")])
    await record(database, [said(alias="bob"), said(from_user_id="bob")])
    assert (await point(database, project, "dau", "2026-03-02", now=NOW)).figure.value == 2
