"""What one run of a destination's reader did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from analytics_api.domain.outcome import EndState


class DeliveryState(StrEnum):
    """How a destination is."""

    RUNNING = "running"
    WAITING = "waiting"
    """It failed; nothing is sent until `retry_at`, then one small request probes it."""
    PAUSED = "paused"
    """Nothing is sent until the credentials change or somebody resumes it."""
    SANDBOX = "sandbox"
    """Sandbox mode: events are passed over."""
    BUSY = "busy"
    """Still being delivered to when the answer was due, and going on: it is slow, or has a long way to go."""
    HELD_ELSEWHERE = "held_elsewhere"
    """Another process is delivering."""
    UNCONFIGURED = "unconfigured"
    """It has a position but is not in the settings any more."""
    ERROR = "error"
    """The run ended with an error of our own, such as a database that is away."""


@dataclass(slots=True)
class FlushReport:
    """What one run did for one destination of one project."""

    project: str
    destination: str
    state: DeliveryState = DeliveryState.RUNNING
    delivered: int = 0
    skipped: int = 0
    parked: int = 0
    """Parked by this run, or parked again."""
    dead: int = 0
    unknown: int = 0
    position: int = 0
    """Sequence number up to which the log has been read."""
    reason: str | None = None
    retry_at: datetime | None = None
    """When the destination, or the first parked event, is tried next."""

    def add(self, outcome: str, number: int) -> None:
        """Count events that came to an end."""
        match outcome:
            case EndState.DELIVERED:
                self.delivered += number
            case EndState.SKIPPED:
                self.skipped += number
            case EndState.DEAD:
                self.dead += number
            case EndState.UNKNOWN:
                self.unknown += number
