"""Analyses read no partition of the log outside the days that they are about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.project import Project
from analytics_api.store.analysis import columns
from analytics_api.store.engine import Database
from tests.query.api import Api
from tests.support.figures import event_on, record

STEPS = [{"event": "page_view"}, {"event": "login"}]
FREE = [{"path": "event_data.plan", "op": "is_not", "value": "pro"}]
DAYS = {"start_date": "2026-02-03", "end_date": "2026-02-20"}


@pytest.mark.parametrize(
    ("path", "asked", "months"),
    [
        ("funnel", {"steps": STEPS, "window_seconds": 3600}, {"02"}),
        ("funnel", {"steps": STEPS, "order": "strict", "window_seconds": 3600}, {"02"}),
        # The window of who enters on the last day reaches into the next month.
        ("funnel", {"steps": STEPS, "window_seconds": 14 * 86_400}, {"02", "03"}),
        ("journeys", {"anchor": STEPS[0], "unit": "person"}, {"02"}),
        ("retention", {"clock": "rolling", "columns": 3}, {"02"}),
        ("retention", {"birth": STEPS[0], "returning": STEPS[0], "mode": "recurring", "columns": 3}, {"02"}),
        # First times and days of activity are kept beside the log.
        ("retention", {"birth": STEPS[0], "columns": 3}, set()),
        # By filters they are not; who is found a month before is looked for no further.
        ("retention", {"birth": {**STEPS[0], "filters": FREE}, "columns": 3}, {"01", "02"}),
    ],
)
async def test_only_the_months_of_the_question_are_read(
    api: Api,
    database: Database,
    project: Project,
    path: str,
    asked: dict[str, Any],
    months: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = ("2025-12-10", "2026-01-10", "2026-02-10", "2026-03-10")
    await record(database, [event_on(project, day, "ada", "page_view") for day in days])
    plans: list[str] = []
    copy_rows = columns.copy_rows

    async def explained(
        connection: AsyncConnection, select: str, names: Sequence[str], parameters: Mapping[str, Any]
    ) -> columns.Rows:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        query, values = columns.positional(select, parameters)
        plans.extend(row[0] for row in await raw.fetch(f"EXPLAIN {query}", *values))
        return await copy_rows(connection, select, names, parameters)

    for module in ("columns", "earlier", "retention", "steps"):
        monkeypatch.setattr(f"analytics_api.store.analysis.{module}.copy_rows", explained)
    await api.post(f"/analysis/{path}", {**DAYS, **asked})
    assert {month for plan in plans for month in re.findall(r"events_20\d\d(\d\d)01_", plan)} == months
