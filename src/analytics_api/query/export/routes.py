"""GET /export and /schema."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from analytics_api.access.dependencies import DatabaseOf, ReadCaller
from analytics_api.query.export.events import exported
from analytics_api.query.export.formats import COLUMNS, MEDIA_TYPES, Format, make_writer
from analytics_api.query.filtering import EventTypes, FiltersOf, check_filters
from analytics_api.query.metrics import definition_answers
from analytics_api.query.reports import examples
from analytics_api.query.reports.routes import answered
from analytics_api.query.reports.web_routes import aware
from analytics_api.query.routes import IncludeBots, Rules
from analytics_api.routes import Routes
from analytics_api.store import bi
from analytics_api.store.event_pages import EventChoice

logger = logging.getLogger(__name__)

router = Routes(tags=["export"])

_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, streamed.",
        "content": {
            MEDIA_TYPES[Format.JSONL]: {"schema": {"type": "string"}},
            "text/csv": {
                "schema": {"type": "string"},
                "example": ",".join(COLUMNS) + "\r\n7,0197c1de-7f6c-7d8a-b7bb-0a1f4b1e5a10,page_view,...\r\n",
            },
            MEDIA_TYPES[Format.PARQUET]: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_Time = Annotated[datetime | None, Query(description="With a zone, as in 2026-03-01T00:00:00Z.")]


@router.get("/export", summary="Events as a file", responses=_FILE)
async def export(
    caller: ReadCaller,
    database: DatabaseOf,
    filters: FiltersOf,
    format: Annotated[Format, Query(description="csv, jsonl or parquet.")] = Format.JSONL,  # noqa: A002
    types: EventTypes = [],  # noqa: B006
    since: _Time = None,
    until: _Time = None,
    include_bots: IncludeBots = True,
) -> Response:
    """All events that have been counted when it begins, in the order of their arrival; `since` and `until` are times of events.

    A file whose connection breaks off is not complete. Parquet files end with a footer, so theirs cannot be read then.
    """
    writer = make_writer(format)
    choice = EventChoice(
        caller.project.id,
        tuple(types),
        filters,
        aware(since, "since"),
        aware(until, "until"),
        include_bots=include_bots,
    )
    async with database.read() as connection:
        await check_filters(connection, filters)

    async def body() -> AsyncIterator[bytes]:
        async for part in exported(database, choice, writer):
            yield part

    name = f"events-{caller.project.slug}.{format}"
    return StreamingResponse(
        body(),
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/schema", summary="What there is to ask for", responses=examples.SCHEMA)
async def schema(caller: ReadCaller, database: DatabaseOf, rules: Rules) -> Response:
    """Event types with the properties of their newest events, columns of an export, SQL views, metrics."""
    project = caller.project
    async with database.read() as connection:
        types = await bi.event_types(connection, project.id)
        seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in await bi.properties(connection, project.id):
            seen[row.event_type].append({"name": row.name, "types": row.types})
        columns: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in await bi.views(connection):
            columns[row.view].append({"name": row.name, "type": row.type})
        metrics = await definition_answers(connection, project, rules.late_days)
    return answered(
        {
            "event_types": [
                {
                    "event_type": row.event_type,
                    "events": int(row.events),
                    "first_day": row.first_day.isoformat(),
                    "last_day": row.last_day.isoformat(),
                    "properties": seen[row.event_type],
                }
                for row in types
            ],
            "export_columns": [{"name": name, "type": kind} for name, kind in COLUMNS.items()],
            "sql_views": [
                {"view": f"{bi.SCHEMA}.{view}", "columns": found} for view, found in columns.items()
            ],
            "metrics": [
                {"metric_type": each["metric_type"], "period": each["period"], "unit": each["unit"]}
                for each in metrics
            ],
        }
    )
