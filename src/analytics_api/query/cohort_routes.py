"""GET /metrics/ltv/cohorts: what the persons of each month have brought, by their age and month by month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from analytics_api.access.dependencies import DatabaseOf, FiguresCaller
from analytics_api.domain.metrics import METRICS_BY_NAME, OBSERVED_DAYS, SMALL_SAMPLE
from analytics_api.domain.period import Period, bucket_of, buckets, local_day, next_bucket
from analytics_api.errors import Unprocessable
from analytics_api.query.metrics import as_number, wanted_range
from analytics_api.query.routes import EndDate, IncludeBots, Rules, StartDate
from analytics_api.routes import Routes
from analytics_api.store.metrics.acquisition import Acquisition, acquisition
from analytics_api.store.metrics.cohorts import Cohort, observed
from analytics_api.store.metrics.figure import Span
from analytics_api.store.metrics.ltv import FEW_PAYERS, MARGIN

router = Routes(tags=["metrics"])

MOST_AGES = 24
MOST_COHORTS = 240


class ByAge(BaseModel):
    """What a cohort had brought by the end of a day of its members' lives."""

    days: int
    mature: bool = Field(description="Whether that day is over for its last member; else the rest is null.")
    net_revenue: float | None
    payers: int | None
    ltv: float | None = Field(description="ltv_observed(days): net_revenue x margin / size.")


class ByMonth(BaseModel):
    """What a cohort had brought by the end of a calendar month."""

    month: date
    net_revenue: float = Field(description="Since the beginning.")
    ltv: float | None
    complete: bool = Field(description="Whether the month is over.")


class ToCost(BaseModel):
    """What a paying customer of the cohort has brought / what one cost."""

    value: float | None
    at_least: bool = Field(description="Always: what was observed is a lower bound of what is to come.")
    ltv: float | None = Field(description="Net revenue x margin so far / paying customers.")
    ltv_variant: str
    cac: float | None
    cac_variant: str
    spend: float | None
    new_payers: int
    few_new_payers: bool


class CohortValue(BaseModel):
    """The persons first seen in one month."""

    cohort: date
    size: int
    small_sample: bool = Field(description="Whether the size is below 30.")
    payers: int
    net_revenue: float = Field(description="By now.")
    unconverted: int = Field(description="Amounts left out because an exchange rate is missing.")
    by_age: list[ByAge]
    by_month: list[ByMonth]
    ltv_cac: ToCost


class CohortValues(BaseModel):
    """Lifetime value as it was observed."""

    definition: str
    currency: str
    zone: str
    margin: float = Field(description="1: it is revenue, not profit.")
    cohorts: list[CohortValue]


@router.get("/metrics/ltv/cohorts", summary="Lifetime value by cohort", response_model=CohortValues)
async def cohort_values(
    caller: FiguresCaller,
    database: DatabaseOf,
    rules: Rules,
    start_date: StartDate = None,
    end_date: EndDate = None,
    days: Annotated[
        list[Annotated[int, Field(ge=0, le=3650)]],
        Query(max_length=MOST_AGES, description="Ages to look at; may be repeated."),
    ] = list(OBSERVED_DAYS),  # noqa: B006 (FastAPI copies it)
    months: Annotated[
        int, Query(ge=0, le=240, description="Calendar months to look at, the first included.")
    ] = 13,
    include_bots: IncludeBots = False,
) -> dict[str, Any]:
    """Cumulative net revenue of everybody first seen in a month, payers or not, by day of their lives and by calendar month."""
    project, now = caller.project, rules.clock()
    today = local_day(now, project.zone)
    first, last = wanted_range(METRICS_BY_NAME["ltv_observed_30"], start_date, end_date, today)
    first, last = (bucket_of(day, Period.MONTHLY) for day in (first, min(last, today)))
    if len(list(buckets(first, last, Period.MONTHLY))) > MOST_COHORTS:
        raise Unprocessable(f"start_date to end_date is too long: at most {MOST_COHORTS} months at a time.")
    span = Span(project, Period.MONTHLY, first, last, now, include_bots)
    ages = sorted(set(days))
    async with database.read() as connection:
        found = await observed(connection, span, ages, by_bucket=True)
        acquired = await acquisition(connection, span)
    return {
        "definition": "Net revenue that the persons first seen in a month have brought / all these persons, payers or not.",
        "currency": project.currency,
        "zone": project.zone.key,
        "margin": float(MARGIN),
        "cohorts": [
            {
                "cohort": month,
                "size": cohort.size,
                "small_sample": cohort.size < SMALL_SAMPLE,
                "payers": cohort.by_now.payers,
                "net_revenue": as_number(cohort.by_now.net_revenue),
                "unconverted": cohort.by_now.unconverted,
                "by_age": [_by_age(cohort, age, today) for age in ages],
                "by_month": _by_month(cohort, month, months, today),
                "ltv_cac": _to_cost(cohort, acquired[month]),
            }
            for month, cohort in found.items()
        ],
    }


def _ltv(revenue: Decimal, persons: int) -> float | None:
    return as_number(revenue * Decimal(MARGIN) / persons) if persons else None


def _by_age(cohort: Cohort, age: int, today: date) -> dict[str, Any]:
    if not cohort.mature(age, today):
        return {"days": age, "mature": False, "net_revenue": None, "payers": None, "ltv": None}
    brought = cohort.by_age[age]
    return {
        "days": age,
        "mature": True,
        "net_revenue": as_number(brought.net_revenue),
        "payers": brought.payers,
        "ltv": _ltv(brought.net_revenue, cohort.size),
    }


def _by_month(cohort: Cohort, first: date, most: int, today: date) -> list[dict[str, Any]]:
    months = list(buckets(first, today, Period.MONTHLY))[:most]
    sums = accumulate(cohort.by_bucket.get(month, Decimal(0)) for month in months)
    return [
        {
            "month": month,
            "net_revenue": as_number(total),
            "ltv": _ltv(total, cohort.size),
            "complete": next_bucket(month, Period.MONTHLY) <= today,
        }
        for month, total in zip(months, sums, strict=True)
    ]


def _to_cost(cohort: Cohort, acquired: Acquisition) -> dict[str, Any]:
    brought = cohort.by_now
    ltv = brought.net_revenue * Decimal(MARGIN) / brought.payers if brought.payers else None
    cac = acquired.spend / acquired.payers if acquired.spend is not None and acquired.payers else None
    return {
        "value": as_number(ltv / cac) if ltv is not None and cac else None,
        "at_least": True,
        "ltv": as_number(ltv),
        "ltv_variant": "ltv_observed per paying customer, so far",
        "cac": as_number(cac),
        "cac_variant": "cac_blended",
        "spend": as_number(acquired.spend),
        "new_payers": acquired.payers,
        "few_new_payers": acquired.payers < FEW_PAYERS,
    }
