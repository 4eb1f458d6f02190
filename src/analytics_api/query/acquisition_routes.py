"""GET /metrics/acquisition: what new customers cost, by channel and campaign."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from analytics_api.access.dependencies import DatabaseOf, FiguresCaller
from analytics_api.domain.metrics import METRICS_BY_NAME, SMALL_SAMPLE, State
from analytics_api.domain.period import local_day
from analytics_api.query.metrics import as_number, wanted_range
from analytics_api.query.routes import EndDate, Rules, StartDate
from analytics_api.routes import Routes
from analytics_api.store.metrics.channels import Acquired, acquired_by
from analytics_api.store.metrics.ltv import FEW_PAYERS

router = Routes(tags=["metrics"])

_CAC = METRICS_BY_NAME["cac"]


class Cost(BaseModel):
    """What one channel or campaign cost and brought."""

    channel: str | None = Field(
        description="Of the first touch, and of the spend; null where it is not known.", examples=["paid"]
    )
    campaign: str | None = Field(
        None, description="`utm_campaign` of the first touch, and campaign of the spend."
    )
    variant: str = Field(description="cac_paid(channel), or cac_blended for all.")
    spend: float | None = Field(description="Null when none is recorded: unknown is not free.")
    unconverted_spend: int = Field(description="Entries left out because an exchange rate is missing.")
    new_payers: int
    cac: float | None = Field(description="spend / new_payers; null without either.")
    spend_without_customers: float | None = Field(None, description="Spend that brought nobody.")
    signups: int
    cost_per_signup: float | None
    small_sample: bool = Field(description="Whether new_payers is below 30.")
    few_new_payers: bool = Field(description="Whether new_payers is below 10.")


class Acquisition(BaseModel):
    """Costs of some days."""

    definition: str
    start_date: date
    end_date: date
    lag_days: int
    zone: str
    currency: str
    state: str = Field(description="open, settling (first payments may still be given back), or final.")
    total: Cost
    costs: list[Cost] = Field(description="Dearest first.")


@router.get("/metrics/acquisition", summary="Cost of acquisition by channel", response_model=Acquisition)
async def acquisition(
    caller: FiguresCaller,
    database: DatabaseOf,
    rules: Rules,
    start_date: StartDate = None,
    end_date: EndDate = None,
    by: Annotated[
        Literal["channel", "campaign"], Query(description="campaign: of each channel.")
    ] = "channel",
    limit: Annotated[int, Query(ge=1, le=1000, description="Most items of `costs`.")] = 1000,
    lag_days: Annotated[
        int, Query(ge=0, le=365, description="Days between spend and customers, where selling takes long.")
    ] = 0,
) -> dict[str, Any]:
    """Spend of the days on a channel / persons whose first touch is that channel and who paid for the first time in them."""
    project = caller.project
    today = local_day(rules.clock(), project.zone)
    first, last = wanted_range(_CAC, start_date, end_date, today)
    async with database.read() as connection:
        found = await acquired_by(
            connection, project, first, last, campaigns=by == "campaign", lag_days=lag_days
        )
    over = min(last, today) + timedelta(days=lag_days + 1)
    settled = over + timedelta(days=_CAC.settles_after(rules.late_days))
    state = State.OPEN if today < over else State.SETTLING if today < settled else State.FINAL
    names = ("channel", "campaign") if by == "campaign" else ("channel",)
    costs = [
        _cost(dict(zip(names, key, strict=True)), "cac_paid", each)
        for key, each in sorted(found.items(), key=lambda item: -(item[1].spend or Decimal(0)))[:limit]
    ]
    return {
        "definition": "Spend on a channel / persons whose first touch is that channel and whose first payment is in the "
        "window; a first payment given back in full within 30 days does not count.",
        "start_date": first,
        "end_date": last,
        "lag_days": lag_days,
        "zone": project.zone.key,
        "currency": project.currency,
        "state": state.value,
        "total": _cost({"channel": None}, "cac_blended", _sum(found.values())),
        "costs": costs,
    }


def _cost(key: dict[str, str | None], variant: str, found: Acquired) -> dict[str, Any]:
    spend = found.spend
    return {
        **key,
        "variant": variant,
        "spend": as_number(spend),
        "unconverted_spend": found.unconverted,
        "new_payers": found.payers,
        "cac": as_number(spend / found.payers) if spend is not None and found.payers else None,
        "spend_without_customers": as_number(spend) if not found.payers else None,
        "signups": found.signups,
        "cost_per_signup": as_number(spend / found.signups) if spend is not None and found.signups else None,
        "small_sample": found.payers < SMALL_SAMPLE,
        "few_new_payers": found.payers < FEW_PAYERS,
    }


def _sum(parts: Iterable[Acquired]) -> Acquired:
    total = Acquired()
    for each in parts:
        if each.spend is not None:
            total.spend = (total.spend or Decimal(0)) + each.spend
        total.unconverted += each.unconverted
        total.payers += each.payers
        total.signups += each.signups
    return total
