"""Shapes of the answers about experiments."""

from __future__ import annotations

from pydantic import BaseModel, Field

from analytics_api.query.analysis.answers import Explained
from analytics_api.query.schemas import Interval


class VariantSize(BaseModel):
    """Who saw a variant."""

    variant: str
    persons: int


class SampleRatio(BaseModel):
    """Whether the groups are as large as they should be."""

    chi_square: float
    p_value: float
    mismatch: bool = Field(
        description="p below 0.001: something is wrong with the split; do not believe the rest."
    )


class Against(BaseModel):
    """A variant against the control."""

    test: str = Field(description="z: two proportions, pooled; t: Welch.")
    difference: float
    relative: float | None = Field(description="difference / value of the control.")
    statistic: float | None
    degrees_of_freedom: float | None
    p_value: float | None = Field(description="Two-sided.")
    interval: Interval | None = Field(description="Of the difference.")


class VariantResult(BaseModel):
    """One metric of one variant."""

    variant: str
    value: float | None
    numerator: float
    denominator: int = Field(description="Persons whose time is over.")
    small_sample: bool
    standard_deviation: float | None = None
    interval: Interval | None = None
    against_control: Against | None


class ExperimentMetric(BaseModel):
    """One metric."""

    name: str
    measure: str
    after_seconds: int
    before_seconds: int | None
    pending: int = Field(description="Persons whose time is not over.")
    results: list[VariantResult]


class ExperimentAnswer(Explained):
    """An experiment."""

    variant: str
    control: str | None
    variants: list[VariantSize]
    in_several: int = Field(description="Persons that saw several variants; they are left out.")
    sample_ratio: SampleRatio | None
    metrics: list[ExperimentMetric]
