"""GET /config and /process-events: what is set, and running the readers now."""

from __future__ import annotations

import asyncio
import time

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from analytics_api.access.dependencies import EditCaller, ReadCaller
from analytics_api.deliver.service import FlushReport
from analytics_api.routes import Routes
from analytics_api.schedule import Services

router = Routes(tags=["operation"])

PATIENCE = 10.0
"""Seconds that a call waits for destinations; one that hangs would take 30."""


class Config(BaseModel):
    """What is set; never a secret."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "enabled": True,
                "amplitude_configured": True,
                "mixpanel_configured": True,
                "pii_tracking_enabled": False,
                "sandbox_mode": False,
                "batch_size": 100,
                "flush_interval_seconds": 60,
                "data_retention_days": 365,
            }
        }
    )

    enabled: bool
    amplitude_configured: bool
    mixpanel_configured: bool
    pii_tracking_enabled: bool
    sandbox_mode: bool
    batch_size: int
    flush_interval_seconds: int | float
    data_retention_days: int


class RollupRun(BaseModel):
    """What the rollup reader did for a project."""

    project: str
    events: int = Field(description="Events counted now.")
    position: int = Field(description="Sequence number up to which the figures are complete.")
    held_elsewhere: bool = Field(
        description="Whether another process is counting; then its position is given."
    )
    failed: bool = Field(description="Whether counting stopped at an error, which is in the server's log.")


class Processed(BaseModel):
    """What the readers did."""

    processed: int = Field(description="Events counted into the figures by this call.")
    rollups: list[RollupRun]
    destinations: list[FlushReport]
    duration_ms: float


@router.get("/config", summary="What is set", response_model=Config)
async def config(request: Request, _caller: ReadCaller) -> Config:
    """Which providers are configured and how events are handled. Secrets are never shown."""
    answer: Config = request.app.state.config
    return answer


@router.post("/process-events", summary="Run the readers now", response_model=Processed)
@router.get(
    "/process-events", summary="Run the readers now", response_model=Processed, include_in_schema=False
)
async def process_events(request: Request, caller: EditCaller) -> Processed:
    """Count all stored events into the figures and hand them to the destinations, without waiting for the schedule.

    The answer tells of the caller's project, or of all without a key or login at this machine. A destination that takes longer
    than ten seconds is reported as `busy`, and its delivery goes on.
    """
    services: Services = request.app.state.services
    began = time.perf_counter()
    rollups, destinations = await asyncio.gather(
        services.rollups.run_once(wait=False), services.destinations.flush(patience=PATIENCE)
    )
    if not caller.is_local:
        rollups = [report for report in rollups if report.project == caller.project.slug]
        destinations = [report for report in destinations if report.project == caller.project.slug]
    return Processed(
        processed=sum(report.events for report in rollups),
        rollups=[
            RollupRun(
                project=report.project,
                events=report.events,
                position=report.position,
                held_elsewhere=report.held_elsewhere,
                failed=report.error is not None,
            )
            for report in rollups
        ],
        destinations=destinations,
        duration_ms=round((time.perf_counter() - began) * 1000, 1),
    )
