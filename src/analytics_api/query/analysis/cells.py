"""The numbers of analyses that people are asked for: which question, and which of its numbers."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from analytics_api.domain.analysis.terms import MOST_STEPS, LifecycleStage
from analytics_api.query.analysis.asking import NO_NUL, Asked, Question
from analytics_api.query.analysis.questions import (
    MOST_COLUMNS,
    ExperimentQuestion,
    FunnelQuestion,
    JourneyQuestion,
    LifecycleQuestion,
    RetentionQuestion,
    TrendQuestion,
)


class FunnelCell(Asked):
    """A number of a funnel."""

    step: int = Field(1, ge=1, le=MOST_STEPS, description="Numbered from 1.")
    outcome: Literal["reached", "dropped_off"] = Field(
        "reached", description="dropped_off: who did this step and not the next one."
    )
    value: str | None = Field(None, pattern=NO_NUL, description="Only this value of the breakdown.")
    without_value: bool = Field(False, description="Only those without a value of the breakdown.")


class FunnelPeople(Asked):
    """People of a funnel."""

    analysis: Literal["funnel"]
    question: FunnelQuestion
    cell: FunnelCell = FunnelCell()


class RetentionCell(Asked):
    """A number of a retention matrix."""

    cohort: date | None = Field(None, description="First day of the cohort; without one, all cohorts.")
    column: int = Field(0, ge=0, le=MOST_COLUMNS, description="Place in the row, from 0.")
    outcome: Literal["retained", "not_retained", "all"] = Field(
        "retained", description="By now; those whose time is not over are in it, too."
    )


class RetentionPeople(Asked):
    """People of a cohort."""

    analysis: Literal["retention"]
    question: RetentionQuestion
    cell: RetentionCell = RetentionCell()


class JourneyCell(Asked):
    """A node of a journey."""

    level: int = Field(0, ge=0, le=MOST_STEPS, description="0 is the anchor.")
    value: str | None = Field(
        None, pattern=NO_NUL, description="The node's value; without one, every journey that is there."
    )
    ended: bool = Field(False, description="Instead: journeys that have ended by this level.")


class JourneyPeople(Asked):
    """People of a node."""

    analysis: Literal["journey"]
    question: JourneyQuestion
    cell: JourneyCell = JourneyCell()


class TrendCell(Asked):
    """A number of a trend."""

    series: str = Field("A", pattern="^[A-H]$")
    date: str | None = Field(
        None, max_length=40, description="The `date` of a point; without one, all buckets."
    )
    value: str | None = Field(None, pattern=NO_NUL, description="Only this value of the breakdown.")
    without_value: bool = Field(False, description="Only those without a value of the breakdown.")


class TrendPeople(Asked):
    """People of a trend: who has any of the events."""

    analysis: Literal["trend"]
    question: TrendQuestion
    cell: TrendCell = TrendCell()


class ExperimentCell(Asked):
    """A number of an experiment."""

    variant: str = Field(max_length=500, pattern=NO_NUL)
    metric: int = Field(1, ge=1, le=10, description="Numbered from 1.")
    outcome: Literal["exposed", "converted", "not_converted"] = Field(
        "exposed",
        description="converted: with any of the metric's events; both only of persons whose time is over.",
    )


class ExperimentPeople(Asked):
    """People of an experiment."""

    analysis: Literal["experiment"]
    question: ExperimentQuestion
    cell: ExperimentCell


class SubscriptionCell(Asked):
    """A number of the subscriptions."""

    part: Literal["paying", "new", "reactivation", "expansion", "contraction", "churn", "fx"] = Field(
        "paying",
        description="paying: the customers behind `mrr` at the end of the days; else those whose monthly revenue moved so in these days.",
    )


class SubscriptionPeople(Asked):
    """Customers with subscriptions: who is behind MRR and its movements. Events do not narrow them, so without filters."""

    analysis: Literal["subscriptions"]
    question: Question
    cell: SubscriptionCell = SubscriptionCell()


class PersonPeople(Asked):
    """All persons of some cohorts, or who behave so."""

    analysis: Literal["persons"]
    question: Question


class PeopleQuestion(Asked):
    """Which number, and which page of the people behind it."""

    of: (
        FunnelPeople
        | RetentionPeople
        | JourneyPeople
        | TrendPeople
        | ExperimentPeople
        | SubscriptionPeople
        | PersonPeople
    ) = Field(discriminator="analysis")
    limit: int = Field(100, ge=1, le=1000)
    cursor: UUID | None = Field(None, description="`next_cursor` of the page before.")


class LifecyclePeopleQuestion(Asked):
    """Which number, and which page of the people behind it."""

    question: LifecycleQuestion
    date: date
    stage: LifecycleStage
    limit: int = Field(100, ge=1, le=1000)
    cursor: UUID | None = Field(None, description="`next_cursor` of the page before.")
