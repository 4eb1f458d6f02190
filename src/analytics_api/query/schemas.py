"""Shapes of the answers, for the API's documentation. The answers themselves are written as plain JSON."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Window(BaseModel):
    """The local days that a figure looks at."""

    start: date
    end: date = Field(description="Last day, included.")
    days: int | None = Field(None, description="Length of a rolling or conversion window.")


class Interval(BaseModel):
    """Wilson interval of a proportion."""

    low: float
    high: float
    confidence: float


class PointMetadata(BaseModel):
    """What a figure means and how far it can be trusted. Metrics add parts of their own, such as `unconverted`."""

    model_config = ConfigDict(extra="allow")

    calculated_at: datetime
    definition: str
    definition_version: int
    unit: str = Field(description="count, fraction (0 to 1), ratio, or currency (major units of `currency`).")
    currency: str | None = None
    numerator: float | None
    denominator: float | None = Field(description="Null for figures that are no ratio.")
    window: Window
    zone: str = Field(
        description="IANA zone whose local days are counted; of a sealed figure the one of then."
    )
    state: str = Field(description="open (not over), settling (may still change), or final.")
    counted_as: str | None = Field(
        None,
        description="`visitor-days`: the window has several days, and visitors without ids of their own, who are somebody else every "
        "day, may be among the people. Left out where everybody is counted once.",
    )
    partial: bool | None = Field(
        None, description="Whether a rolling window begins before the project's first event."
    )
    sealed: bool | None = Field(
        None, description="Whether the raw events of all its days are gone, so that it stays as it is."
    )
    late_unapplied: int | None = Field(
        None, description="Events that came for days when these were sealed, and are not in the figure."
    )
    small_sample: bool | None = Field(None, description="Whether the denominator is below 30.")
    interval: Interval | None = None
    include_bots: bool
    source: str = Field(
        description="rollups; or events, for another zone than the project's and for the project's own metrics: counted from "
        "raw events."
    )


class MetricPoint(BaseModel):
    """The figure of one bucket."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "8c0f6a2e-0f0a-5d5c-9a52-6a1d3c1f3c0b",
                "metric_date": "2024-01-01",
                "metric_type": "dau",
                "period": "daily",
                "value": 150.0,
                "metadata": {
                    "calculated_at": "2024-01-02T01:00:00Z",
                    "definition": "Distinct persons with at least one active event on the day.",
                    "definition_version": 1,
                    "unit": "count",
                    "numerator": 150.0,
                    "denominator": None,
                    "window": {"start": "2024-01-01", "end": "2024-01-01"},
                    "zone": "UTC",
                    "state": "final",
                    "include_bots": False,
                    "source": "rollups",
                },
            }
        }
    )

    id: UUID = Field(description="The same for the same metric, period and date.")
    metric_date: date = Field(description="First day of the bucket.")
    metric_type: str
    period: str
    value: float | None = Field(description="Null when it cannot be computed, such as a share of nobody.")
    metadata: PointMetadata


class Dashboard(BaseModel):
    """S1's seven figures."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "daily_active_users": 150,
                "monthly_active_users": 2500,
                "new_registrations_today": 12,
                "revenue_today": 599.97,
                "conversion_rate": 25.0,
                "churn_rate": 5.5,
                "ltv_cac_ratio": 3.2,
                "details": {
                    "as_of": "2024-01-31T12:00:00Z",
                    "lag": {"events": 0, "seconds": 0.0},
                    "zone": "UTC",
                },
            }
        }
    )

    daily_active_users: int
    monthly_active_users: int = Field(description="Active in the 30 local days that end today.")
    new_registrations_today: int
    revenue_today: float = Field(description="In the project's currency.")
    conversion_rate: float | None = Field(
        description="Percent: signups of the latest mature month that paid within 30 days."
    )
    churn_rate: float | None = Field(
        description="Percent: active the month before the last, not active in the last month."
    )
    ltv_cac_ratio: float | None = Field(description="Over the last 3 closed months.")
    details: dict[str, Any] = Field(description="Freshness, and for each field how it comes about.")


class MetricDefinition(BaseModel):
    """One metric of the catalogue."""

    metric_type: str
    period: str
    unit: str
    currency: str | None
    title: str | None = Field(description="Of the project's own metrics.")
    definition: str
    custom: bool = Field(description="Whether the project has defined it for itself.")
    version: int
    window_days: int | None
    settles_after_days: int = Field(description="Days after the bucket's end at which a figure is final.")
    counts_people: bool
    include_bots: bool = Field(description="Whether the parameter of that name makes a difference.")


class Revision(BaseModel):
    """A final figure that changed."""

    id: int
    metric_date: date
    metric_type: str
    period: str
    old_value: float | None
    new_value: float | None
    cause: str = Field(
        description="late_events(n), backfill, fx, spend, definition, time_zone, merge, split, rebuild; several are listed."
    )
    changed_at: datetime


class RevisionPage(BaseModel):
    """Revisions, newest first."""

    revisions: list[Revision]
    next_cursor: int | None = Field(
        description="Send it as `cursor` for the next page; null on the last one."
    )
