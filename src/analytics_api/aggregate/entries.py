"""Entries of exchange rates and spend as people send them: what may be in them, and what they are in the store."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analytics_api.domain.money import parse_amount, parse_currency
from analytics_api.domain.project import Project
from analytics_api.errors import Unprocessable
from analytics_api.store.ledger import Rate, Spend

LONGEST_SPEND_DAYS = 3660
LONGEST_NAME = 200


def _amount(value: object) -> Decimal:
    return parse_amount(value, "it")


def _code(value: str) -> str:
    return parse_currency(value, "it")


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

    def stored(self, project: Project) -> Rate:
        """As the store has it. Raises Unprocessable for the project's own currency."""
        if self.currency == project.currency:
            raise Unprocessable(
                f"currency: {project.currency} is the project's own currency and needs no rate."
            )
        return Rate(self.currency, self.date, self.rate)


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

    def stored(self, project: Project) -> Spend:
        """As the store has it."""
        currency = self.currency or project.currency
        return Spend(*self.days(), self.channel, self.campaign, self.amount, currency)

    def days(self) -> tuple[Day, Day]:
        """First and last day."""
        if self.date is not None:
            return self.date, self.date
        if self.start_date is None or self.end_date is None:
            raise ValueError("validated before")
        return self.start_date, self.end_date
