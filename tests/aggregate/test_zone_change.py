"""Another time zone for a project: rollups and figures are those of a project that always had it; sealed days stay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.aggregate.closing import close_due_days, last_due_day
from analytics_api.aggregate.zone_change import change_zone
from analytics_api.errors import Unprocessable
from analytics_api.query.metrics import explanation
from analytics_api.store.engine import Database
from analytics_api.store.projects import get_project
from tests.aggregate.test_identity import build
from tests.aggregate.test_rebuild import NOW, ZONES, count, histories
from tests.support.databases import in_thread
from tests.support.events import make_event, make_project, open_database
from tests.support.figures import LATE_DAYS, at, event_on, point, record, values
from tests.support.rollups import compare
from tests.support.who import who_is_who

BERLIN = "Europe/Berlin"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def play(url: str, items: Sequence[dict[str, Any]], zones: tuple[str, str], cut: int) -> None:
    """Part of the history is counted in one zone, and the rest comes after the change."""
    async with open_database(url) as database:
        project = await make_project(database, f"p{uuid4().hex[:12]}", time_zone=zones[0])
        events = build(project, items)
        cut %= len(events) + 1
        await count(database, events[:cut], [cut // 2], 3)
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        there, _ = await change_zone(database, project, zones[1], "change", clock=lambda: NOW)
        assert there == replace(project, zone=ZoneInfo(zones[1]))
        await record(database, events[cut:])
        await close_due_days(database, NOW, late_days=LATE_DAYS)
        await compare(database, there, events, who_is_who(project, events))
        kept = await database.pool.fetch(
            """
            SELECT DISTINCT time_zone FROM aggregated_metrics
            WHERE project_id = $1 AND period = 'daily' AND metric_date <= $2
              AND metric_date >= (SELECT min(day) FROM event_days WHERE project_id = $1)
            """,
            project.id,
            last_due_day(NOW, there.zone),
        )
        # What lies outside of the days that there are now is asked for by nobody.
        assert {row[0] for row in kept} <= {zones[1]}
        assert not await database.pool.fetchval(
            "SELECT count(*) FROM dirty_days WHERE project_id = $1", project.id
        )


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=histories, zones=st.permutations(ZONES).map(lambda all_: (all_[0], all_[1])), cut=st.integers(0, 60)
)
def test_rollups_are_those_of_the_new_zone(
    database_url: str, items: list[dict[str, Any]], zones: tuple[str, str], cut: int
) -> None:
    in_thread(play(database_url, items, zones, cut))


async def test_final_figures_change_with_their_cause(database: Database) -> None:
    """Somebody at 23:30 UTC on the 10th is there on the 11th in Berlin."""
    project = await make_project(database)
    now = at("2026-04-20")
    await record(
        database,
        [
            event_on(project, "2026-03-09", "bob"),
            make_event(project, user_id="ada", occurred_at=at("2026-03-10", 23, 30)),
        ],
    )
    await close_due_days(database, now, late_days=LATE_DAYS)
    there, report = await change_zone(database, project, BERLIN, "change", clock=lambda: now)
    assert report is not None
    async with database.read() as connection:
        assert await get_project(connection, project.slug) == there
    expected = {date(2026, 3, 9): 1, date(2026, 3, 10): 0, date(2026, 3, 11): 1}
    # Before its figures are made again, too.
    assert await values(database, there, "dau", "2026-03-09", "2026-03-11", now=now) == expected
    await close_due_days(database, now, late_days=LATE_DAYS)
    assert await values(database, there, "dau", "2026-03-09", "2026-03-11", now=now) == expected
    revisions = await database.pool.fetch(
        "SELECT metric_date, old_value, new_value, cause FROM metric_revisions WHERE metric_type = 'dau' ORDER BY 1"
    )
    assert [tuple(row) for row in revisions] == [
        (date(2026, 3, 10), 1, 0, "time_zone"),
        (date(2026, 3, 11), 0, 1, "time_zone"),
    ]
    # Again changes nothing, and back is as before.
    await change_zone(database, there, BERLIN, "change", clock=lambda: now)
    await change_zone(database, there, "UTC", "change", clock=lambda: now)
    await close_due_days(database, now, late_days=LATE_DAYS)
    back = await values(database, project, "dau", "2026-03-09", "2026-03-11", now=now)
    assert list(back.values()) == [1, 1, 0]


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
async def test_sealed_days_stay_and_say_so(database: Database, zone: str) -> None:
    project = await make_project(database)
    now = at("2026-04-20")
    days = [date(2026, 2, 20) + timedelta(days=n) for n in range(20)]
    await record(
        database,
        [make_event(project, user_id=f"u{n}", occurred_at=at(day, 23, 30)) for n, day in enumerate(days)],
    )
    await close_due_days(database, now, late_days=LATE_DAYS)
    await database.pool.execute("DELETE FROM events WHERE occurred_at < '2026-03-01T00:00Z'")
    await database.pool.execute("UPDATE project_days SET state = 'sealed' WHERE day < '2026-03-01'")
    there, _ = await change_zone(database, project, zone, "change", clock=lambda: now)
    await close_due_days(database, now, late_days=LATE_DAYS)
    for _ in range(2):
        found = await values(database, there, "dau", "2026-02-20", "2026-02-28", now=now)
        assert set(found.values()) == {1}
        await close_due_days(database, now, late_days=LATE_DAYS)
    old = await point(database, there, "dau", "2026-02-25", now=now)
    assert (old.sealed, explanation(old, there)["zone"]) == (True, "UTC")
    new = await point(database, there, "dau", "2026-03-05", now=now)
    assert (new.sealed, explanation(new, there)["zone"]) == (False, zone)
    # 23:30 UTC is the next morning in Kathmandu and the same evening in St. John's.
    last = await point(database, there, "dau", "2026-03-11", now=now)
    assert last.figure.value == 1
    after = await point(database, there, "dau", "2026-03-12", now=now)
    assert after.figure.value == (1 if zone == "Asia/Kathmandu" else 0)
    assert not await database.pool.fetchval(
        "SELECT count(*) FROM metric_revisions WHERE metric_date < '2026-02-28' AND period = 'daily' AND metric_type = 'dau'"
    )


async def test_what_is_no_zone(database: Database) -> None:
    project = await make_project(database)
    for name in ("Mars/Olympus", "localtime"):
        with pytest.raises(Unprocessable, match="no IANA time zone"):
            await change_zone(database, project, name, "change")
        with pytest.raises(Unprocessable, match="no IANA time zone"):
            await make_project(database, "elsewhere", time_zone=name)
    # Without events only the zone changes.
    there, report = await change_zone(database, project, BERLIN, "change")
    assert (there.zone.key, report) == (BERLIN, None)
