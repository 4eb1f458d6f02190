"""GET /downloads (S0), /summary and /generations (S3), /usage (S2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from analytics_api.access.dependencies import DatabaseOf, ReadCaller
from analytics_api.domain.filters import AllOf, parse_filters
from analytics_api.errors import Unprocessable
from analytics_api.query.export.formats import JSON, Format
from analytics_api.query.filtering import FiltersOf, check_filters
from analytics_api.query.reports import examples
from analytics_api.query.reports.downloads import downloads as downloads_answer
from analytics_api.query.reports.generations import generations as generations_answer
from analytics_api.query.reports.generations import summary as summary_answer
from analytics_api.query.reports.generations import summary_window
from analytics_api.query.reports.routes import UnfilteredWindowOf, WindowOf, answered
from analytics_api.query.reports.usage import usage as usage_answer
from analytics_api.query.routes import Rules
from analytics_api.routes import Routes
from analytics_api.store.reports.window import Window

router = Routes(tags=["reports"])

_Value = Annotated[str | None, Query(max_length=500)]


@router.get("/downloads", summary="Downloads by what, who and when", responses=examples.DOWNLOADS)
async def downloads(
    request: Request,
    window: WindowOf,
    database: DatabaseOf,
    filters: FiltersOf,
    format: _Value = None,  # noqa: A002
    version: _Value = None,
    platform: _Value = None,
    track_name: _Value = None,
) -> Response:
    """Totals, distributions, each day, and the last ten. `format=FLAC` and the like take only those."""
    # `format=csv` and the like ask for the answer as a table, as everywhere.
    given = request.query_params.getlist("format")
    taken = [each for each in given if each not in (JSON, *Format)] or None
    wanted = {"format": taken, "version": version, "platform": platform, "track_name": track_name}
    try:
        named = [
            parse_filters({"path": f"event_data.{name}", "op": "is", "value": value}, name)
            for name, value in wanted.items()
            if value is not None
        ]
    except ValueError as error:
        raise Unprocessable(f"{error}.") from None
    async with database.read() as connection:
        await check_filters(connection, filters)
        return answered(await downloads_answer(connection, window, AllOf((*filters.parts, *named))))


@router.get("/summary", summary="Visits and generations, in total and by day", responses=examples.SUMMARY)
async def summary(caller: ReadCaller, database: DatabaseOf, rules: Rules) -> Response:
    """In the shape of metalise's `/api/analytics?key=`, newest day first.

    `unique_visitors` are persons with a page view. Where visitors are told apart by an id that changes every day, the total
    are visitor-days: one person on two days is two.
    """
    window = summary_window(Window.of_days(caller.project, 2, rules.clock()))
    async with database.read() as connection:
        return answered(await summary_answer(connection, window))


@router.get("/generations", summary="Generations: success, errors, time", responses=examples.GENERATIONS)
async def generations(window: UnfilteredWindowOf, database: DatabaseOf) -> Response:
    """From `generation_completed` and `generation_failed`, with `has_text`, `error` and `duration_ms`."""
    async with database.read() as connection:
        return answered(await generations_answer(connection, window))


@router.get("/usage", summary="Uploads, choices, analyses, feedback, ratings", responses=examples.USAGE)
async def usage(window: UnfilteredWindowOf, database: DatabaseOf) -> Response:
    """From `file_uploaded`, `daw_selected`, `genre_detected`, `analysis_completed`, `analysis_failed`,
    `feedback_downloaded` and `rating_given`."""
    async with database.read() as connection:
        return answered(await usage_answer(connection, window))
