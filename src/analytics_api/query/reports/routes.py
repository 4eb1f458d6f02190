"""GET /overall, /users, /realtime: CloudFace's answers (S4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request
from starlette.responses import Response

from analytics_api.access.dependencies import DatabaseOf, FiguresCaller, ReadCaller
from analytics_api.errors import Unprocessable
from analytics_api.query.filtering import FiltersOf, check_filters
from analytics_api.query.metrics import json_default
from analytics_api.query.reports import examples
from analytics_api.query.reports.overall import overall as overall_answer
from analytics_api.query.reports.realtime import realtime as realtime_answer
from analytics_api.query.reports.users import user as user_answer
from analytics_api.query.reports.users import users as users_answer
from analytics_api.query.routes import IncludeBots, Rules
from analytics_api.routes import Routes
from analytics_api.store.metrics.answer import Figures
from analytics_api.store.reports.window import Window

MOST_DAYS = 366

router = Routes(tags=["reports"])

Days = Annotated[
    int,
    Query(
        ge=1,
        le=MOST_DAYS,
        description="The last so many local days, today's included; 1 is the last 24 hours.",
        examples=[30],
    ),
]


def answered(content: Any) -> Response:
    """A JSON response; decimals are numbers."""
    return Response(orjson.dumps(content, default=json_default), media_type="application/json")


async def _window(
    caller: ReadCaller, rules: Rules, days: Days = 30, include_bots: IncludeBots = False
) -> Window:
    return Window.of_days(caller.project, days, rules.clock(), include_bots=include_bots)


WindowOf = Annotated[Window, Depends(_window)]


async def _filtered(window: WindowOf, filters: FiltersOf, database: DatabaseOf) -> Window:
    if filters.parts:
        async with database.read() as connection:
            await check_filters(connection, filters)
    return replace(window, filters=filters)


FilteredWindowOf = Annotated[Window, Depends(_filtered)]
"""Of reports that `filter=` narrows."""


async def _without_filters(request: Request, window: WindowOf) -> Window:
    if "filter" in request.query_params:
        raise Unprocessable("filter: this report takes none; POST /analysis/trends does.")
    return window


UnfilteredWindowOf = Annotated[Window, Depends(_without_filters)]
"""Of reports that it does not: an answer that is not narrowed would be taken for one that is."""


@router.get("/overall", summary="Visits, actions, shares, places and sources", responses=examples.OVERALL)
async def overall(window: FilteredWindowOf, database: DatabaseOf, rules: Rules) -> Response:
    """The overview of a product with people, pages and shares, in the form of CloudFace's."""
    async with database.read() as connection:
        figures = await Figures.of(connection, window.project, window.now, rules.late_days)
        return answered(await overall_answer(figures, window))


@router.get("/users", summary="People and what they did", responses=examples.USERS)
async def users(
    window: FilteredWindowOf,
    database: DatabaseOf,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next_cursor` of the page before.")
    ] = None,
) -> Response:
    """People with an event in the window, those with most events first."""
    async with database.read() as connection:
        return answered(await users_answer(connection, window, limit, cursor))


@router.get("/user/{id}", include_in_schema=False)
@router.get("/users/{id}", summary="One person", responses=examples.USER)
async def user(id: str, window: FilteredWindowOf, database: DatabaseOf) -> Response:  # noqa: A002
    """`id`: a user id, an anonymous id, or a `person_id`. What joined persons did is one."""
    async with database.read() as connection:
        return answered(await user_answer(connection, window, id))


@router.get("/realtime", summary="Who is there now", responses=examples.REALTIME)
async def realtime(
    caller: FiguresCaller, database: DatabaseOf, rules: Rules, include_bots: IncludeBots = False
) -> Response:
    """The counters of `GET /live`, and who was active in the last hour and in the last 24 hours."""
    half_hour = Window.of_hours(caller.project, 0.5, rules.clock(), include_bots=include_bots)
    async with database.read() as connection:
        return answered(await realtime_answer(connection, half_hour))
