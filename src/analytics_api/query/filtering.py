"""Filters in a query string: `filter=event_data.plan is pro`, as often as one likes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.filters import AllOf, parse_filter_text
from analytics_api.errors import Unprocessable
from analytics_api.store.filter_sql import check_patterns

FilterTexts = Annotated[
    list[str],
    Query(
        alias="filter",
        max_length=20,
        description="`PATH OPERATOR VALUE`, or JSON; may be repeated (docs/filters.md).",
        examples=[["event_data.platform is macOS"]],
    ),
]
EventTypes = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]],
    Query(alias="event_type", max_length=100, description="Only these; may be repeated."),
]


async def parsed_filters(filter: FilterTexts = []) -> AllOf:  # noqa: A002, B006
    """The filters of a query string. Raises Unprocessable."""
    try:
        return parse_filter_text(filter)
    except ValueError as error:
        raise Unprocessable(f"{error}.") from None


FiltersOf = Annotated[AllOf, Depends(parsed_filters)]


async def check_filters(connection: AsyncConnection, filters: AllOf) -> None:
    """Raises Unprocessable when PostgreSQL does not take a pattern of `matches`."""
    try:
        await check_patterns(connection, filters)
    except ValueError as error:
        raise Unprocessable(f"filter: {error}.") from None
