"""POST /rates and /spend: what figures need and no event tells. Server keys only."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Body
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analytics_api.access.dependencies import DatabaseOf, TrustedSender
from analytics_api.domain.clock import system_clock
from analytics_api.domain.money import parse_amount, parse_currency
from analytics_api.errors import Unprocessable
from analytics_api.store.ledger import Rate, Spend, save_rates, save_spend

MOST_ENTRIES = 10_000
LONGEST_SPEND_DAYS = 3660
LONGEST_NAME = 200

router = APIRouter(tags=["money"])


def _amount(value: object) -> Decimal:
    return parse_amount(value, "it")


def _code(value: str) -> str:
    return parse_currency(value, "it")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


Day = date
Amount = Annotated[Decimal, BeforeValidator(_amount, json_schema_input_type=str | float)]
Currency = Annotated[str, AfterValidator(_code)]
Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=r"^[^\x00]*$")]


class RateEntry(BaseModel):
    """One unit of `currency` in units of the project's currency, on a UTC day."""

    model_config = ConfigDict(extra="forbid")

    currency: Currency = Field(examples=["EUR"])
    date: Day
    rate: Amount = Field(gt=0, examples=["1.0834"])


class SpendEntry(BaseModel):
    """Acquisition spend of one day (`date`), or spread evenly over `start_date` to `end_date`, both included."""

    model_config = ConfigDict(extra="forbid")

    date: Day | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    channel: Name = Field("", examples=["ads"])
    campaign: Name = ""
    amount: Amount = Field(ge=0, examples=["1500.00"])
    currency: Currency | None = Field(None, description="Default: the project's.")

    @model_validator(mode="after")
    def _days(self) -> Self:
        if self.date is not None:
            if self.start_date is not None or self.end_date is not None:
                raise ValueError("send either date, or start_date and end_date")
            return self
        if self.start_date is None or self.end_date is None:
            raise ValueError("send date, or start_date and end_date")
        if self.end_date < self.start_date:
            raise ValueError("end_date is before start_date: swap them")
        if (self.end_date - self.start_date).days >= LONGEST_SPEND_DAYS:
            raise ValueError(f"start_date to end_date is longer than {LONGEST_SPEND_DAYS} days: split it")
        return self

    def days(self) -> tuple[Day, Day]:
        """First and last day."""
        if self.date is not None:
            return self.date, self.date
        if self.start_date is None or self.end_date is None:
            raise ValueError("validated before")
        return self.start_date, self.end_date


class Stored(BaseModel):
    """What became of the entries."""

    stored: int = Field(description="Entries that are stored now, whether they were new or not.")
    changed: int = Field(description="Those that were new or different.")


Rates = Annotated[
    list[RateEntry],
    BeforeValidator(_as_list, json_schema_input_type=RateEntry | list[RateEntry]),
    Field(min_length=1, max_length=MOST_ENTRIES),
    Body(),
]
Spends = Annotated[
    list[SpendEntry],
    BeforeValidator(_as_list, json_schema_input_type=SpendEntry | list[SpendEntry]),
    Field(min_length=1, max_length=MOST_ENTRIES),
    Body(),
]


@router.post("/rates", summary="Store exchange rates", response_model=Stored)
async def store_rates(caller: TrustedSender, database: DatabaseOf, entries: Rates) -> Stored:
    """One rate or a list. A rate of the same currency and day is replaced; figures that used it are made again."""
    if any(entry.currency == caller.project.currency for entry in entries):
        raise Unprocessable(
            f"currency: {caller.project.currency} is the project's own currency and needs no rate."
        )
    rates = [Rate(entry.currency, entry.date, entry.rate) for entry in entries]
    async with database.write() as connection:
        changed = await save_rates(connection, caller.project, rates, system_clock())
    return Stored(stored=len({(rate.currency, rate.day) for rate in rates}), changed=changed)


@router.post("/spend", summary="Store acquisition spend", response_model=Stored)
async def store_spend(caller: TrustedSender, database: DatabaseOf, entries: Spends) -> Stored:
    """One entry or a list. An entry of the same days, channel and campaign is replaced, so a resend changes nothing."""
    spends = [
        Spend(
            *entry.days(),
            entry.channel,
            entry.campaign,
            entry.amount,
            entry.currency or caller.project.currency,
        )
        for entry in entries
    ]
    async with database.write() as connection:
        changed = await save_spend(connection, caller.project, spends, system_clock())
    keys = {(spend.start, spend.end, spend.channel, spend.campaign) for spend in spends}
    return Stored(stored=len(keys), changed=changed)
