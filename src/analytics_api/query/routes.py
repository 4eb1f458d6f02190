"""GET /metrics/...: aggregated figures, the dashboard, the catalogue and revisions."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request
from starlette.responses import Response

from analytics_api.access.dependencies import DatabaseOf, FiguresCaller
from analytics_api.domain.period import Period, local_day
from analytics_api.query.charts import chart
from analytics_api.query.dashboard import dashboard as make_dashboard
from analytics_api.query.metrics import (
    FigureRules,
    definition_answers,
    json_default,
    revision_answer,
    wanted_metric,
    wanted_range,
    wanted_zone,
)
from analytics_api.query.schemas import Dashboard, MetricDefinition, MetricPoint, RevisionPage
from analytics_api.routes import Routes
from analytics_api.store.metrics.answer import Figures
from analytics_api.store.metrics.stored import RevisionFilter, revisions

MOST_REVISIONS = 1000

router = Routes(tags=["metrics"])


async def _rules(request: Request) -> FigureRules:
    rules: FigureRules = request.app.state.figures
    return rules


Rules = Annotated[FigureRules, Depends(_rules)]
IncludeBots = Annotated[bool, Query(description="Count what is marked as a bot, too.")]
StartDate = Annotated[date | None, Query(description="First local day; default: 30 days up to the end.")]
EndDate = Annotated[date | None, Query(description="Last local day, included; default: today.")]
ZoneName = Annotated[
    str | None,
    Query(
        description="IANA zone whose days are counted; default: the project's. Another one is counted from raw events, "
        "which takes longer.",
        examples=["Asia/Kathmandu"],
    ),
]
PeriodName = Annotated[Period | None, Query(description="Default: the metric's own.")]


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content, default=json_default), media_type="application/json")


@router.get("/metrics/aggregated", summary="One metric, bucket by bucket", response_model=list[MetricPoint])
async def aggregated(
    caller: FiguresCaller,
    database: DatabaseOf,
    rules: Rules,
    metric_type: Annotated[str, Query(description="A name from GET /metrics/definitions.")],
    period: PeriodName = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    include_bots: IncludeBots = False,
    zone: ZoneName = None,
) -> Response:
    """The figures of every bucket that touches the days asked for, up to today's. Buckets without events are there too."""
    project, now = caller.project, rules.clock()
    asked = wanted_zone(zone)
    async with database.read() as connection:
        metric = await wanted_metric(connection, project, metric_type, period)
        first, last = wanted_range(metric, start_date, end_date, local_day(now, asked or project.zone))
        figures = await Figures.of(connection, project, now, rules.late_days, asked)
        body = await chart(figures, metric, first, last, include_bots=include_bots, memory=rules.charts)
    return Response(body, media_type="application/json")


@router.get("/metrics/dashboard", summary="Today's key figures", response_model=Dashboard)
async def dashboard(
    caller: FiguresCaller,
    database: DatabaseOf,
    rules: Rules,
    include_bots: IncludeBots = False,
    zone: ZoneName = None,
) -> Response:
    """S1's seven figures. `details` says for each how it is defined, from what it is made and how fresh it is."""
    async with database.read() as connection:
        figures = await Figures.of(
            connection, caller.project, rules.clock(), rules.late_days, wanted_zone(zone)
        )
        return _json(await make_dashboard(figures, include_bots=include_bots))


@router.get("/metrics/definitions", summary="The catalogue of metrics", response_model=list[MetricDefinition])
async def definitions(caller: FiguresCaller, database: DatabaseOf, rules: Rules) -> Response:
    """What each metric counts, over which window, and when it is final. The project's own metrics come last."""
    async with database.read() as connection:
        return _json(await definition_answers(connection, caller.project, rules.late_days))


@router.get("/metrics/revisions", summary="Final figures that changed", response_model=RevisionPage)
async def changed_figures(
    caller: FiguresCaller,
    database: DatabaseOf,
    metric_type: Annotated[str | None, Query(description="Only this metric.")] = None,
    period: Annotated[Period | None, Query(description="Only this period.")] = None,
    start_date: Annotated[date | None, Query(description="Only buckets from this day on.")] = None,
    end_date: Annotated[date | None, Query(description="Only buckets up to this day.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_REVISIONS)] = 100,
    cursor: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="`next_cursor` of the page before.")
    ] = None,
) -> Response:
    """Why did this number change? Newest first."""
    project = caller.project
    async with database.read() as connection:
        if metric_type is not None:
            metric_type = (await wanted_metric(connection, project, metric_type, period)).name
        wanted = RevisionFilter(metric_type, period, start_date, end_date, cursor)
        rows = await revisions(connection, project.id, wanted, limit + 1)
    page = rows[:limit]
    return _json(
        {
            "revisions": [revision_answer(row) for row in page],
            "next_cursor": page[-1]["id"] if len(rows) > limit else None,
        }
    )
