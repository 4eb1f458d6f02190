"""The kinds of alert rules as data: a name, its parameters, and a function that looks into the database.

A new kind is a model of parameters, a function and an entry in KINDS. A function returns what is wrong at this moment, one
finding for each subject; since when, and whom to tell, is not its business.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from analytics_api.alert import metric_kinds
from analytics_api.alert.rule_kind import Parameters, RuleKind, Scene
from analytics_api.domain.alert import Finding
from analytics_api.store import alert_evidence as evidence
from analytics_api.store.delivery_overview import ended, total
from analytics_api.store.delivery_standing import standings
from analytics_api.store.delivery_window import Window
from analytics_api.store.metrics.days import ROLLUP_READER
from analytics_api.store.retention_states import find_state

_Destination = Field(None, min_length=1, max_length=63, description="Only this one; all when left out.")


class BacklogAge(Parameters):
    """Of `backlog_age`."""

    destination: str | None = _Destination
    minutes: int = Field(60, ge=1, le=525_600, description="How old the oldest waiting event may be.")


async def _backlog_age(scene: Scene, parameters: BacklogAge) -> list[Finding]:
    stands = await standings(scene.connection, scene.project_id, parameters.destination)
    waiting = [
        (f"destination:{each.destination}", f"Destination {each.destination}", each.oldest_received_at)
        for each in stands
    ]
    if parameters.destination is None:
        oldest = await evidence.oldest_uncounted(scene.connection, scene.project_id)
        waiting.append((f"reader:{ROLLUP_READER}", f"Reader {ROLLUP_READER} (the figures)", oldest))
    found = []
    for subject, who, oldest in waiting:
        minutes = 0.0 if oldest is None else (scene.now - oldest).total_seconds() / 60
        if minutes > parameters.minutes:
            text = f"{who} is behind: its oldest waiting event arrived {_span(minutes)} ago."
            found.append(Finding(subject, round(minutes, 1), text))
    return found


class ErrorRate(Parameters):
    """Of `error_rate`."""

    destination: str | None = _Destination
    percent: float = Field(5, ge=0, lt=100, description="Alert above this share of failed events.")
    hours: int = Field(
        1, ge=1, le=168, description="Events that arrived in the last hours, this one included."
    )
    at_least: int = Field(20, ge=1, le=1_000_000_000, description="Fewer events say nothing.")


async def _error_rate(scene: Scene, parameters: ErrorRate) -> list[Finding]:
    this_hour = scene.now.replace(minute=0, second=0, microsecond=0)
    since = this_hour - timedelta(hours=parameters.hours)
    window = Window(first=since)
    ends = await ended(scene.connection, scene.project_id, window, parameters.destination)
    found = []
    for destination, tallies in sorted(ends.items()):
        tally = total(tallies.values())
        # Discarded dead letters have been looked at: whoever did so needs no further alert.
        failed = tally.dead - tally.discarded + tally.unknown
        events = tally.delivered + tally.dead + tally.unknown
        percent = 100 * failed / events if events else 0.0
        if events < parameters.at_least or percent <= parameters.percent:
            continue
        text = (
            f"Destination {destination}: {failed} of {events} events that arrived since "
            f"{since:%Y-%m-%d %H:%M} UTC were refused for good or have an unknown fate ({percent:.1f} %)."
        )
        found.append(Finding(f"destination:{destination}", round(percent, 2), text))
    return found


class DestinationPaused(Parameters):
    """Of `destination_paused`."""

    destination: str | None = _Destination


async def _destination_paused(scene: Scene, parameters: DestinationPaused) -> list[Finding]:
    return [
        Finding(
            f"destination:{each.destination}",
            None,
            f"Destination {each.destination} is paused: {each.reason or 'no reason is known'}",
        )
        for each in await standings(scene.connection, scene.project_id, parameters.destination)
        if each.paused
    ]


class MissingEventType(Parameters):
    """Of `missing_event_type`."""

    event_type: str = Field(min_length=1, max_length=200, description="Which one is expected.")
    minutes: int = Field(60, ge=1, le=525_600, description="How long there may be none.")


async def _missing_event_type(scene: Scene, parameters: MissingEventType) -> list[Finding]:
    event_type = parameters.event_type
    last = await evidence.last_event_at(scene.connection, scene.project_id, event_type, scene.now)
    minutes = (scene.now - (last or scene.watched_since)).total_seconds() / 60
    if minutes <= parameters.minutes:
        return []
    seen = f"the last one happened at {last:%Y-%m-%d %H:%M} UTC" if last else "there has never been one"
    text = f"No {event_type} for {_span(minutes)}: {seen}."
    return [Finding(f"event_type:{event_type}", round(minutes, 1), text)]


class JobNotRun(Parameters):
    """Of `job_not_run`."""

    job: str | None = Field(
        None, min_length=1, max_length=63, description="Only this one; all when left out."
    )
    hours: float | None = Field(
        None,
        gt=0,
        le=8_760,
        description="How long it may go without a success; each job's own limit when left out.",
    )


async def _job_not_run(scene: Scene, parameters: JobNotRun) -> list[Finding]:
    last = await evidence.last_successes(scene.connection)
    found = []
    for job, limit in sorted(scene.jobs.items()):
        if parameters.job not in (None, job):
            continue
        hours = (scene.now - last.get(job, scene.watched_since)).total_seconds() / 3600
        if hours <= (parameters.hours or limit.total_seconds() / 3600):
            continue
        text = (
            f"Job {job} has not run to its end for {_span(hours * 60)}; the log says why, or no worker runs."
        )
        found.append(Finding(f"job:{job}", round(hours, 2), text))
    return found


class RetentionBlocked(Parameters):
    """Of `retention_blocked`."""

    hours: int = Field(0, ge=0, le=8_760, description="How long it may have been so; runs are daily.")


async def _retention_blocked(scene: Scene, parameters: RetentionBlocked) -> list[Finding]:
    state = await find_state(scene.connection, scene.project_id)
    if state is None or state.blocked_since is None:
        return []
    hours = (scene.now - state.blocked_since).total_seconds() / 3600
    if hours < parameters.hours:
        return []
    what, reason = next(iter(state.blocked.items()))
    more = f", and {len(state.blocked) - 1} more" if len(state.blocked) > 1 else ""
    return [Finding("retention", round(hours, 2), f"Retention could not remove {what}{more}: {reason}.")]


def _span(minutes: float) -> str:
    """A length of time for people: `90 minutes`, `3 hours`, `4 days`."""
    for unit, size, upto in (("minutes", 1, 120), ("hours", 60, 2_880)):
        if minutes < upto:
            return f"{minutes / size:.0f} {unit}"
    return f"{minutes / 1_440:.0f} days"


KINDS: dict[str, RuleKind] = {
    "backlog_age": RuleKind(
        "events wait for a destination, or for being counted, longer than they may",
        "minutes",
        BacklogAge,
        _backlog_age,
    ),
    "error_rate": RuleKind(
        "a destination refuses too large a share of the events for good, or their fate is unknown",
        "percent",
        ErrorRate,
        _error_rate,
    ),
    "destination_paused": RuleKind(
        "a destination is paused, by hand or for its credentials",
        None,
        DestinationPaused,
        _destination_paused,
    ),
    "missing_event_type": RuleKind(
        "no event of a type has happened for a time", "minutes", MissingEventType, _missing_event_type
    ),
    "job_not_run": RuleKind(
        "a periodic job of the worker has not run to its end for a time", "hours", JobNotRun, _job_not_run
    ),
    "retention_blocked": RuleKind(
        "events past retention had to stay, because something still needs them",
        "hours",
        RetentionBlocked,
        _retention_blocked,
    ),
    **metric_kinds.KINDS,
}
