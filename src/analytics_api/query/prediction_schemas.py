"""Shapes of the answers about the future."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import BaseModel, Field


class PurchaseModel(BaseModel):
    """BG/NBD (Fader, Hardie and Lee 2005); times are in weeks."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


class SpendingModel(BaseModel):
    """Gamma-Gamma (Fader and Hardie 2013), of customers that came again."""

    p: float
    q: float
    v: float
    log_likelihood: float
    average: float = Field(description="What a purchase brings over all customers, as the model sees it.")
    customers: int = Field(description="It was fitted to.")
    observed_average: float
    correlation: float | None = Field(
        description="Between how often customers buy and what they spend. The model takes it to be 0: far from it, doubt it."
    )


class Expected(BaseModel):
    """Sums over some customers."""

    customers: int
    alive: float = Field(description="How many are customers still, to be expected.")
    revenue: float = Field(description="So far.")
    expected_purchases: float = Field(description="Days with a purchase in the horizon.")
    expected_revenue: float = Field(description="In the horizon.")
    ltv: float = Field(description="(Revenue so far + expected) / customers.")


class CohortExpected(Expected):
    """Those whose first purchase was in one month."""

    cohort: date = Field(description="First day of the month.")


class Asked(BaseModel):
    """What was asked for."""

    as_of: date = Field(description="Last local day that was looked at.")
    horizon_days: int
    currency: str
    zone: str


class PredictedValue(Asked):
    """Predicted lifetime value."""

    definition: str
    customers: int
    customers_read: int = Field(description="Of a larger number so many stand for all; sums are theirs.")
    repeat_customers: int
    repeat_purchases: int
    small_sample: bool = Field(description="Whether fewer than 30 customers paid a second time.")
    purchases: PurchaseModel
    spending: SpendingModel
    expected: Expected
    cohorts: list[CohortExpected]


class PredictedPerson(BaseModel):
    """One customer."""

    person_id: UUID
    user_id: str | None
    first_purchase: date
    last_purchase: date
    purchase_days: int
    revenue: float
    alive: float = Field(description="Probability of being a customer still.")
    expected_purchases: float
    expected_revenue: float


class PredictedPersons(Asked):
    """The customers that most revenue is expected of."""

    persons: list[PredictedPerson]


class RetentionPeriod(BaseModel):
    """One period of a cohort."""

    period: int
    survivors: int | None = Field(description="Null in the future.")
    observed: float | None
    projected: float


class PredictedRetention(BaseModel):
    """Retention of a cohort, and how it goes on (Fader and Hardie 2007)."""

    as_of: date
    period: str
    cohort_start: date
    cohort_end: date
    definition: str
    alpha: float
    beta: float
    log_likelihood: float
    small_sample: bool
    periods: list[RetentionPeriod]
