"""Shapes of what GET /goals answers, for the API's documentation."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from analytics_api.domain.goals import Direction, GoalPeriod, Status


class GoalProgress(BaseModel):
    """How far a goal is in one of its periods."""

    start: date
    end: date = Field(description="Last day, included.")
    status: Status = Field(
        description="reached and missed are the end of it, though late events may still change the value while `state` is "
        "not final; on_track and behind go by `projected`."
    )
    value: float | None
    share: float | None = Field(description="Value / target.")
    elapsed: float = Field(description="How much of the period has passed, 0 to 1.")
    expected: float | None = Field(
        description="What the value would be now on the straight way to the target; the target itself for what does not grow "
        "from 0, such as a share."
    )
    projected: float | None = Field(description="What the value comes to at the end at the pace so far.")
    state: str | None = Field(description="open, settling or final, as of any figure.")
    figure: dict[str, Any] | None = Field(
        description="What explains the value, as in GET /metrics/aggregated."
    )


class GoalInfo(BaseModel):
    """A goal and how far it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 1,
                "title": "50 file uploads a week",
                "metric": "file_uploads",
                "direction": "at_least",
                "target": 50.0,
                "period": "week",
                "starts_on": "2026-03-02",
                "ends_on": None,
                "created_at": "2026-03-02T08:00:00Z",
                "updated_at": "2026-03-02T08:00:00Z",
                "problem": None,
                "current": {
                    "start": "2026-03-09",
                    "end": "2026-03-15",
                    "status": "on_track",
                    "value": 21.0,
                    "share": 0.42,
                    "elapsed": 0.357,
                    "expected": 17.86,
                    "projected": 58.8,
                    "state": "open",
                    "figure": {"definition": "Events file_uploaded.", "unit": "count", "zone": "UTC"},
                },
                "history": [],
            }
        }
    )

    id: int
    title: str
    metric: str
    direction: Direction
    target: float
    period: GoalPeriod
    starts_on: date
    ends_on: date | None
    created_at: datetime
    updated_at: datetime
    problem: str | None = Field(description="Why it cannot be read, such as a metric that was removed.")
    current: GoalProgress | None = Field(description="The period that holds today, else the last one.")
    history: list[GoalProgress] = Field(description="Earlier periods, the newest first.")


class GoalList(BaseModel):
    """The goals of a project."""

    project: str
    goals: list[GoalInfo]
