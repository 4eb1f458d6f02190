"""Figures of several days say when visitors whose ids live for a day may be among their people (decision 11)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from analytics_api.store.visitor_salts import find_salt
from tests.query.api import Api
from tests.support.events import make_event, make_project
from tests.support.figures import at, record

LABEL = "visitor-days"


async def salted(database: Database, project: Project, *days: str) -> None:
    """Visitors got ids on these days; the first one's salt is asked for twice, as by two processes."""
    async with database.acquire() as connection:
        for day in (*days, days[0]):
            await find_salt(connection, project.id, date.fromisoformat(day))


async def labels(api: Api, metric: str, first: str, last: str, period: str = "daily") -> list[Any]:
    points = await api.get(
        "/metrics/aggregated", metric_type=metric, period=period, start_date=first, end_date=last
    )
    return [point["metadata"].get("counted_as") for point in points]


async def test_figures_of_more_than_a_day_are_labelled(
    api: Api, database: Database, project: Project
) -> None:
    await record(database, [make_event(project, user_id="ada", occurred_at=at("2026-02-01"))])
    await salted(database, project, "2026-03-11", "2026-03-10")
    assert await labels(api, "dau", "2026-03-09", "2026-03-12") == [None] * 4
    # The window of seven days: it ends before the first, holds one of them, begins after the last.
    assert await labels(api, "wau_rolling", "2026-03-09", "2026-03-10") == [None, LABEL]
    assert await labels(api, "wau_rolling", "2026-03-17", "2026-03-18") == [LABEL, None]
    assert await labels(api, "mau", "2026-02-01", "2026-03-01", "monthly") == [None, LABEL]
    assert await labels(api, "events", "2026-03-10", "2026-03-11") == [None, None]
    assert await labels(api, "page_views", "2026-03-10", "2026-03-11") == [None, None]


async def test_reports_and_analyses_of_more_than_a_day_are_labelled(
    api: Api, database: Database, project: Project
) -> None:
    await record(database, [make_event(project, user_id="ada", occurred_at=at("2026-02-01"))])
    await salted(database, project, "2026-03-18")
    for path in ("/overall", "/users", "/pages", "/sources", "/geo", "/downloads"):
        assert (await api.get(path, days=7))["window"]["counted_as"] == LABEL, path
        assert "counted_as" not in (await api.get(path, days=2))["window"], path
    assert (await api.get("/summary"))["counted_as"] == LABEL
    asked = {"start_date": "2026-03-01", "series": [{"of": "persons", "event": "page_view"}]}
    for last, label in (("2026-03-17", None), ("2026-03-18", LABEL)):
        answer = await api.post("/analysis/trends", {**asked, "end_date": last})
        assert answer["counted_as"] == label
    one_day = {**asked, "start_date": "2026-03-18", "end_date": "2026-03-18"}
    assert (await api.post("/analysis/trends", one_day))["counted_as"] is None


@pytest.mark.parametrize("path", ["/overall", "/summary"])
async def test_a_project_without_such_ids_has_no_label(
    api: Api, database: Database, project: Project, path: str
) -> None:
    other = await make_project(database, "other")
    await salted(database, other, "2026-03-18")
    assert "counted_as" not in str(await api.get(path, project=project.slug))
