"""An event that the rollups could not count is in no answer that is made from the log either."""

from __future__ import annotations

from analytics_api.domain.project import Project
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.figures import event_on, record


async def test_what_could_not_be_counted_is_in_no_answer(
    api: Api, database: Database, project: Project
) -> None:
    days = {"start_date": "2026-03-01", "end_date": "2026-03-19"}
    custom = {"name": "views", "measure": {"of": "events", "events": ["page_view"]}}
    await api.post("/metrics/custom", custom, 201)
    pages = [
        event_on(project, "2026-03-18", person, "page_view", event_data={"path": "/"})
        for person in ("ada", "bob")
    ]
    other = event_on(project, "2026-03-18", "cleo", "page_view")

    async def answers() -> list[int]:
        view = {"event": "page_view"}
        funnel = await api.post("/analysis/funnel", {**days, "steps": [view]})
        journeys = await api.post("/analysis/journeys", {**days, "anchor": view, "unit": "person"})
        retention = await api.post(
            "/analysis/retention",
            {**days, "birth": view, "returning": view, "mode": "recurring", "columns": 1},
        )
        trend = await api.post("/analysis/trends", {**days, "series": [view]})
        seen = await api.get("/pages", days=7)
        own = await api.get("/metrics/aggregated", metric_type="views", **days)
        elsewhere = await api.get(
            "/metrics/aggregated", metric_type="page_views", zone="Asia/Kathmandu", **days
        )
        return [
            funnel["steps"][0]["count"],
            journeys["journeys"],
            sum(row["size"] for row in retention["cohorts"]),
            trend["series"][0]["total"],
            sum(page["views"] for page in seen["pages"]),
            sum(point["value"] for point in own),
            sum(point["value"] for point in elsewhere),
        ]

    await record(database, [*pages, other])
    assert await answers() == [3] * 7
    await database.pool.execute(
        "INSERT INTO rollup_failures (project_id, seq, error, failed_at)"
        " SELECT project_id, seq, 'planted', now() FROM events WHERE event_data ->> 'path' IS NULL"
    )
    assert await answers() == [2] * 7
