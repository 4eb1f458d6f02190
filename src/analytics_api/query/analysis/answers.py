"""Shapes of the answers of analyses, for the API's documentation."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from analytics_api.query.schemas import Interval


class AskedWindow(BaseModel):
    """The local days that were looked at."""

    start: date
    end: date = Field(description="Last day, included.")
    seconds: int | None = Field(None, description="Of a conversion.")


class Lag(BaseModel):
    """Stored events that are not counted yet."""

    events: int
    seconds: float


class Explained(BaseModel):
    """What every analysis says of itself."""

    definition: str
    window: AskedWindow
    zone: str
    state: str = Field(description="open (not over), settling (late events may change it), or final.")
    counted_as: str | None = Field(
        description="`visitor-days` where visitors without ids of their own, who are somebody else every day, may be among the "
        "people of several days; null: everybody is counted once."
    )
    as_of: datetime = Field(description="The moment for which it is true.")
    lag: Lag
    include_bots: bool
    filters: str = Field(description="In words; empty without any.")
    people: str = Field(description="Whose events alone are looked at, in words; empty: everybody's.")
    unknown_events: list[str] = Field(
        description="Event types of the question that the project has never had: perhaps they are written otherwise."
    )
    source: str = Field(description="events, or rollups.")


class Proportion(BaseModel):
    """A share and what it is made of."""

    value: float | None = Field(description="0 to 1; null of nothing.")
    numerator: int
    denominator: int
    small_sample: bool = Field(description="Whether the denominator is below 30.")
    interval: Interval | None = None


class Seconds(BaseModel):
    """How long something took."""

    median: float | None
    p90: float | None


class FunnelStep(BaseModel):
    """One step of a funnel."""

    step: int
    name: str
    count: int
    dropped_off: int = Field(description="Who did this step and not the next one.")
    from_previous: Proportion
    from_first: Proportion
    seconds_from_previous: Seconds
    seconds_from_first: Seconds


class FunnelConversion(BaseModel):
    """From the first step to the last."""

    so_far: Proportion
    mature: Proportion = Field(description="Of those alone who have had the whole window by now.")


class FunnelGroup(BaseModel):
    """Who had one value of the property at the first step."""

    value: str | None
    others: bool = Field(description="Whether it stands for all further values.")
    counts: list[int] = Field(description="Of each step.")
    conversion: FunnelConversion


class FunnelBreakdown(BaseModel):
    """The funnel by a property."""

    property: str
    values: list[FunnelGroup]


class FunnelAnswer(Explained):
    """A funnel."""

    unit: str
    order: str
    attempt: str
    steps: list[FunnelStep]
    conversion: FunnelConversion
    breakdown: FunnelBreakdown | None = None


class RetentionColumn(BaseModel):
    """Periods after the first one."""

    first: int
    last: int | None = Field(description="Null: without end.")


class RetentionValue(BaseModel):
    """One cell."""

    value: float | None = Field(description="Share of the cohort; null until the time is over for all of it.")
    retained: int | None
    so_far: int = Field(description="Who has been there by now.")
    mature: bool
    state: str


class RetentionRow(BaseModel):
    """One cohort."""

    cohort: date = Field(description="Its first day.")
    size: int
    small_sample: bool
    cells: list[RetentionValue]


class RetentionAnswer(Explained):
    """Cohorts and who came back."""

    mode: str
    criterion: str
    clock: str
    period: str
    columns: list[RetentionColumn]
    overall: list[Proportion] = Field(description="Of all persons for whom the column's time is over.")
    cohorts: list[RetentionRow]


class LifecyclePoint(BaseModel):
    """One bucket."""

    date: date
    state: str
    new: int
    current: int
    resurrected: int
    dormant: int
    active: int = Field(description="new + current + resurrected.")


class LifecycleAnswer(Explained):
    """The buckets that touch the days asked for."""

    period: str
    points: list[LifecyclePoint]


class JourneyNode(BaseModel):
    """A node."""

    level: int = Field(description="0 is the anchor.")
    kind: str = Field(
        description="value; others: all further values of the level; end: nothing came any more."
    )
    value: str | None
    count: int = Field(description="Journeys.")


class JourneyLink(BaseModel):
    """Journeys from one node to another; both are places in `nodes`, and told by what they are."""

    source: int
    target: int
    level: int = Field(description="Of the node to which it leads.")
    source_kind: str
    source_value: str | None
    target_kind: str
    target_value: str | None
    count: int


class JourneyPath(BaseModel):
    """Journeys along the same nodes, given as places in `nodes`, and by their values."""

    count: int
    nodes: list[int]
    values: list[str | None] = Field(description="Null: one of all further values of its level.")


class JourneyAnswer(Explained):
    """Journeys."""

    unit: str
    direction: str
    node: str
    journeys: int
    persons: int
    nodes: list[JourneyNode]
    links: list[JourneyLink]
    paths: list[JourneyPath]


class Earlier(BaseModel):
    """The counterpart in the period before."""

    date: str
    value: float | None


class TrendPoint(BaseModel):
    """One bucket."""

    date: str = Field(description="Its first local day; of an hour the instant at which it begins.")
    value: float | None
    state: str
    previous: Earlier | None = None


class TrendLine(BaseModel):
    """Numbers by bucket, and of all buckets at once."""

    total: float | None
    points: list[TrendPoint]
    previous_total: float | None = None
    change: float | None = Field(None, description="(total - previous_total) / previous_total.")


class TrendValue(TrendLine):
    """The same for one value of the property."""

    value: str | None
    others: bool


class TrendSeries(TrendLine):
    """One series."""

    letter: str
    name: str
    of: str
    values: list[TrendValue] | None = None


class TrendFormula(TrendLine):
    """A formula over the series."""

    formula: str
    values: list[TrendValue] | None = None


class PreviousWindow(BaseModel):
    """What is compared with."""

    start: date
    end: date
    until: datetime | None = Field(description="The same time of day as now, while the last bucket is open.")


class TrendAnswer(Explained):
    """Trends."""

    period: str
    breakdown: str | None
    previous: PreviousWindow | None
    series: list[TrendSeries]
    formula: TrendFormula | None


class Person(BaseModel):
    """One person."""

    person_id: UUID
    user_id: str | None
    anonymous_id: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    properties: dict[str, Any]


class PeoplePage(BaseModel):
    """Persons in the order of their ids."""

    total: int = Field(description="Different persons behind the number.")
    persons: list[Person]
    next_cursor: UUID | None = Field(
        description="Send it as `cursor` for the next page; null on the last one."
    )
