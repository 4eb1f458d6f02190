"""How long a project keeps its raw events, over HTTP, and what the last run of retention did."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import asyncpg
from fastapi import Depends, Request
from pydantic import BaseModel, Field

from analytics_api.access.dependencies import AdminCaller, DatabaseOf, ReadCaller
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Project
from analytics_api.domain.retention import Periods
from analytics_api.privacy.periods import PeriodsBody, RetentionRules
from analytics_api.routes import Routes
from analytics_api.store.alert_evidence import last_successes
from analytics_api.store.retention_periods import find_periods, save_periods
from analytics_api.store.retention_states import find_state

router = Routes(tags=["privacy"])

JOB = "retention"


class LastRun(BaseModel):
    """What the last run did in the project."""

    started_at: datetime
    finished_at: datetime | None = Field(
        description="null: it is running, or was cut off and the next one goes on where it was."
    )
    events: int = Field(
        description="Events that were removed one by one; those of `partitions` are not counted."
    )
    partitions: list[str] = Field(description="Pieces of the log that were dropped as a whole.")
    blocked: dict[str, str] = Field(description="What had to stay, and why; at most 20.")
    blocked_since: datetime | None = Field(
        description="First of the runs in a row that had to leave something."
    )


class Retention(PeriodsBody):
    """How long a project keeps its raw events, and what became of those that are older."""

    project: str
    default_days: int = Field(description="`ANALYTICS__DATA_RETENTION_DAYS`.")
    least_days: int = Field(
        description="No period may be shorter: figures of a day are final before its events go."
    )
    last_success: datetime | None = Field(description="When a run last came to its end, of any worker.")
    last_run: LastRun | None


async def _rules(request: Request) -> RetentionRules:
    rules: RetentionRules = request.app.state.retention
    return rules


Rules = Annotated[RetentionRules, Depends(_rules)]


@router.get("/privacy/retention", summary="How long raw events are kept")
async def read(caller: ReadCaller, database: DatabaseOf, rules: Rules) -> Retention:
    """Periods of the project and of its event types, the last run and what blocked it. Figures are kept for ever."""
    async with database.look() as connection:
        return await _answer(connection, caller.project, rules)


@router.put("/privacy/retention", summary="Decide how long raw events are kept")
async def write(body: PeriodsBody, caller: AdminCaller, database: DatabaseOf, rules: Rules) -> Retention:
    """In place of what was decided before; the next run, at 03:30 UTC, goes by it. What it removes cannot be brought back."""
    periods = rules.checked(Periods(body.days, body.event_types))
    async with database.acquire() as connection:
        await save_periods(connection, caller.project.id, periods, system_clock())
        return await _answer(connection, caller.project, rules)


async def _answer(connection: asyncpg.Connection, project: Project, rules: RetentionRules) -> Retention:
    periods = await find_periods(connection, project.id)
    state = await find_state(connection, project.id)
    return Retention(
        project=project.slug,
        days=periods.days,
        event_types=dict(periods.event_types),
        default_days=rules.default_days,
        least_days=rules.least_days,
        last_success=(await last_successes(connection)).get(JOB),
        last_run=None
        if state is None
        else LastRun(
            started_at=state.started_at,
            finished_at=state.finished_at,
            events=state.events,
            partitions=list(state.partitions),
            blocked=dict(state.blocked),
            blocked_since=state.blocked_since,
        ),
    )
