"""Funnels, retention, journeys and trends as they are asked for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from analytics_api.domain.analysis.calendar import Step as Bucket
from analytics_api.domain.analysis.formula import Formula
from analytics_api.domain.analysis.terms import MOST_STEPS, Criterion, Order, Unit
from analytics_api.domain.measures import COUNTS, Of
from analytics_api.domain.period import Period
from analytics_api.query.analysis.asking import NO_NUL, Happening, Happenings, PropertyPath, Question


class Step(Happenings):
    """One step: an event, or one of several."""


class ExclusionAsked(Happening):
    """An event that ends an attempt."""

    after_step: int = Field(1, ge=1, description="It counts behind this step, numbered from 1,")
    before_step: int | None = Field(None, ge=2, description="and before this one; default: the last.")


class FunnelQuestion(Question):
    """A funnel."""

    steps: Annotated[list[Step], Field(min_length=1, max_length=MOST_STEPS)]
    window_seconds: int = Field(7 * 86_400, ge=1, le=366 * 86_400, description="From the first step.")
    order: Order = Order.ORDERED
    attempt: Literal["best", "first"] = "best"
    unit: Unit = Unit.PERSON
    grace_seconds: float = Field(
        0, ge=0, le=60, description="A step may lie so much before the one it follows: for coarse clocks."
    )
    exclusions: list[ExclusionAsked] = Field([], max_length=5)
    hold: PropertyPath | None = Field(
        None, description="A property that must be the same in all steps of an attempt."
    )
    breakdown: PropertyPath | None = Field(
        None, description="A property; its value at the first step counts."
    )
    breakdown_limit: int = Field(10, ge=1, le=100)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.grace_seconds and self.order is not Order.ORDERED:
            raise ValueError("grace_seconds is for order ordered only")
        if self.unit is Unit.TOTALS and self.attempt == "first":
            raise ValueError("attempt first is for unit person or session: totals count every attempt")
        for exclusion in self.exclusions:
            last = exclusion.before_step or len(self.steps)
            if not exclusion.after_step < last <= len(self.steps):
                raise ValueError(
                    "exclusions: after_step must be before before_step, and that a step there is"
                )
            if self.order is Order.ANY and (exclusion.after_step > 1 or last < len(self.steps)):
                raise ValueError("exclusions: with order any leave out after_step and before_step")
        return self


MOST_COLUMNS = 60
MOST_REACH = 1000
"""Periods."""


class RetentionQuestion(Question):
    """Who comes back."""

    birth: Happening = Field(Happening(), description="What makes somebody a member of a cohort.")
    returning: Happening = Field(Happening(), description="What counts as being there.")
    mode: Literal["first_ever", "recurring"] = Field(
        "first_ever",
        description="first_ever: one cohort a person, by the first time ever; recurring: every bucket in which they did it.",
    )
    criterion: Criterion = Criterion.ON
    clock: Literal["calendar", "rolling"] = Field(
        "calendar",
        description="calendar: local buckets; rolling: 24 hours, 7 or 30 days from each person's own time.",
    )
    period: Period = Period.DAILY
    columns: int = Field(12, ge=1, le=MOST_COLUMNS, description="0 to columns - 1 periods after the first.")
    brackets: list[tuple[int, int]] | None = Field(
        None,
        min_length=1,
        max_length=MOST_COLUMNS,
        description="Instead of columns: first and last period of each.",
        examples=[[[1, 3], [4, 7]]],
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for first, last in self.brackets or []:
            if not 0 <= first <= last <= MOST_REACH:
                raise ValueError(f"brackets: 0 <= first <= last <= {MOST_REACH} must hold for each")
        if self.mode == "recurring" and self.clock == "rolling":
            raise ValueError("mode recurring counts by local buckets: use clock calendar")
        return self


class LifecycleQuestion(Question):
    """Who is new, stays, comes back and goes."""

    activity: Happening = Field(Happening(), description="What counts as being there.")
    period: Period = Period.WEEKLY


class JourneyQuestion(Question):
    """What comes after, or before, an event."""

    anchor: Happening = Field(
        description="The event from which is looked; the first one of each path counts."
    )
    direction: Literal["after", "before"] = "after"
    steps: int = Field(5, ge=1, le=MOST_STEPS)
    node: PropertyPath = Field("event_type", description="What the nodes are named by.")
    nodes: list[Happening] = Field(
        [], max_length=50, description="The events that are nodes; default: any that makes its person active."
    )
    unit: Literal["session", "person"] = Field("session", description="What a journey stays within.")
    window_seconds: int = Field(86_400, ge=1, le=366 * 86_400, description="From the anchor.")
    collapse: bool = Field(True, description="Equal nodes that follow each other count as one.")
    limit: int = Field(10, ge=1, le=50, description="Nodes of each level; all others are one.")
    paths: int = Field(20, ge=0, le=200, description="Most frequent whole journeys.")


class SeriesAsked(Happenings):
    """One line of a chart."""

    of: Of = Field(Of.EVENTS, description="What is made of the events of a bucket.")
    property: PropertyPath | None = Field(None, description="The numbers of sum, average and so on.")
    percentile: float | None = Field(None, gt=0, le=100)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.of in COUNTS) != (self.property is None):
            raise ValueError(
                "property is for sum, average, minimum, maximum and percentile, and needed there"
            )
        if (self.of is Of.PERCENTILE) != (self.percentile is not None):
            raise ValueError("percentile is for of percentile, and needed there")
        return self

    def title(self) -> str:
        """For people."""
        what = self.words()
        return self.name or (
            f"{self.of} of {what}" if self.property is None else f"{self.of} of {self.property} of {what}"
        )


LETTERS = "ABCDEFGH"


class TrendQuestion(Question):
    """Numbers over time."""

    series: Annotated[list[SeriesAsked], Field(min_length=1, max_length=len(LETTERS))] = Field(
        description="The first one is A in formulas, the second one B."
    )
    formula: str | None = Field(None, max_length=200, examples=["A / B * 100"])
    period: Bucket = Bucket.DAILY
    breakdown: PropertyPath | None = None
    breakdown_limit: int = Field(10, ge=1, le=50, description="Most frequent values of the first series.")
    compare: bool = Field(False, description="With as many buckets directly before.")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.formula is not None:
            try:
                Formula.parse(self.formula, LETTERS[: len(self.series)])
            except ValueError as error:
                raise ValueError(f"formula: {error}") from None
        return self


class OutcomeAsked(Happenings):
    """A metric of an experiment."""

    measure: Literal["conversion", "mean"] = Field(
        "conversion",
        description="conversion: the share of persons with any such event; mean: events, or the sum of `property`, a person.",
    )
    property: PropertyPath | None = Field(None, description="Of a mean: the numbers that are summed up.")
    after_seconds: int = Field(
        0, ge=0, le=366 * 86_400, description="Behind the first exposure; events before do not count."
    )
    before_seconds: int | None = Field(
        None,
        ge=1,
        le=366 * 86_400,
        description="Behind the first exposure, not included; default: up to now. Only persons whose time is over are compared.",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.measure == "conversion" and self.property is not None:
            raise ValueError("property is for measure mean")
        if self.before_seconds is not None and self.before_seconds <= self.after_seconds:
            raise ValueError("before_seconds must be more than after_seconds")
        return self


class ExperimentQuestion(Question):
    """What variants of something do to those who see them."""

    exposure: Happening = Field(description="What shows that somebody saw a variant.")
    variant: PropertyPath = "event_data.variant"
    control: str | None = Field(
        None, max_length=500, pattern=NO_NUL, description="The variant that others are compared with."
    )
    shares: dict[str, Annotated[float, Field(gt=0, le=1e6)]] | None = Field(
        None, min_length=2, max_length=20, description="Expected sizes of the variants; default: equal."
    )
    metrics: Annotated[list[OutcomeAsked], Field(min_length=1, max_length=10)]
