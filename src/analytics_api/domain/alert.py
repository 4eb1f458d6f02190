"""When an alert begins, is brought to mind again and ends: decided from what a rule found, without a database or a clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class AlertState(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    """The condition holds, and not for long enough yet."""
    FIRING = "firing"
    RESOLVED = "resolved"


class Notice(StrEnum):
    """What people are told."""

    FIRING = "firing"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule has found wrong at this moment."""

    subject: str
    """What is wrong, as `destination:amplitude`: each subject of a rule has an alert of its own."""
    value: float | None
    """The figure that was measured, in the unit of the rule's kind."""
    text: str
    """A sentence for people."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a rule tells people."""

    hold: timedelta
    """How long the condition must hold until the alert fires."""
    clear: timedelta
    """How long it must not hold until the alert is over: one that comes and goes is one alert, not many."""
    remind: timedelta | None
    """Between two reminders; None: never."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is not over, or has just ended."""

    subject: str
    since: datetime
    """When the condition was first found."""
    value: float | None
    text: str
    started_at: datetime | None = None
    """When it fired."""
    clear_since: datetime | None = None
    """Since when the condition does not hold any more."""
    ended_at: datetime | None = None
    acknowledged_at: datetime | None = None
    """When somebody said that they know; no reminders after that."""
    notified_at: datetime | None = None
    """When people were last told that it fires."""

    @property
    def state(self) -> AlertState:
        """Where it stands."""
        if self.ended_at is not None:
            return AlertState.RESOLVED
        return AlertState.PENDING if self.started_at is None else AlertState.FIRING

    def ended(self, now: datetime, text: str) -> Alert:
        """The alert, over for another reason than that its condition is."""
        return replace(self, ended_at=now, text=text)


def step(
    alert: Alert | None, finding: Finding | None, now: datetime, timing: Timing
) -> tuple[Alert | None, Notice | None]:
    """What becomes of one subject's alert when its rule is evaluated, and what people are to be told.

    None instead of an alert: there is none, or no more (it never fired). One that has ended must not be given again.
    """
    if finding is None:
        return (None, None) if alert is None else _without(alert, now, timing)
    if alert is None:
        alert = Alert(finding.subject, now, finding.value, finding.text)
    alert = replace(alert, value=finding.value, text=finding.text, clear_since=None)
    if alert.started_at is None:
        if now - alert.since < timing.hold:
            return alert, None
        return replace(alert, started_at=now, notified_at=now), Notice.FIRING
    if _is_forgotten(alert, now, timing):
        return replace(alert, notified_at=now), Notice.REMINDER
    return alert, None


def _without(alert: Alert, now: datetime, timing: Timing) -> tuple[Alert | None, Notice | None]:
    if alert.started_at is None:
        return None, None
    clear_since = alert.clear_since or now
    if now - clear_since < timing.clear:
        return replace(alert, clear_since=clear_since), None
    return replace(alert, clear_since=clear_since, ended_at=now), Notice.RESOLVED


def _is_forgotten(alert: Alert, now: datetime, timing: Timing) -> bool:
    if timing.remind is None or alert.acknowledged_at is not None or alert.notified_at is None:
        return False
    return now - alert.notified_at >= timing.remind
