"""Making, pausing, resuming and ending replays: what the API and the command line do, and the same errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg

from analytics_api.deliver.administration import BY_HAND
from analytics_api.deliver.destination import Destination
from analytics_api.domain.period import start_of_day
from analytics_api.domain.project import Project
from analytics_api.errors import Conflict, NotFound, Unprocessable
from analytics_api.store import readers, replays
from analytics_api.store.engine import Database
from analytics_api.store.event_choice import EventChoice, count_chosen, count_common
from analytics_api.store.log import safe_position
from analytics_api.store.replay_views import ReplayView, view_replays
from analytics_api.store.replays import Replay, replay_reader

USUAL_RATE = 500
FASTEST = 100_000


@dataclass(frozen=True, slots=True)
class NewReplay:
    """What to send. Times are a date in the project's zone, or a time (ISO 8601)."""

    since: str | None = None
    until: str | None = None
    """A date is included whole, a time is not."""
    by_arrival: bool = False
    event_types: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    anonymous_ids: tuple[str, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)
    backfill: bool = False
    """Only what was stored before the destination began with its live events."""
    allow_repetitions: bool = False
    """Whether the destination may be sent what it would count twice."""
    events_per_second: int = USUAL_RATE


async def start(
    database: Database,
    project: Project,
    name: str,
    destination: Destination | None,
    new: NewReplay,
    now: datetime,
) -> Replay:
    """Make a replay of what is stored now; running processes begin with it within seconds. `name`: of the destination.

    Raises NotFound, Unprocessable naming the field, Conflict when the destination would count events twice or sandbox mode is
    on, WriterBusy when how far the log may be read is not known yet.
    """
    if destination is None:
        raise NotFound(f"Project {project.slug} has no destination {name!r} that can be sent to.")
    if destination.muted:
        raise Conflict(
            "Sandbox mode is on: nothing leaves this machine. Replay to the destination 'sandbox'."
        )
    choice = _choice(project, new)
    async with database.acquire() as connection:
        upto = await safe_position(connection)
        live = await replays.live_stream(connection, project.id, destination.name)
        if live is None:
            raise Conflict(
                f"The destination {destination.name!r} has not begun with its live events yet; try again."
            )
        if new.backfill:
            upto = _begin_of(live, destination)
        estimated = await count_chosen(connection, project, choice, upto)
        if estimated == 0:
            raise Unprocessable("There is nothing to send: no stored event is chosen.")
        async with connection.transaction():
            await replays.lock_destination(connection, project.id, destination.name)
            if not new.allow_repetitions:
                await _refuse_doubles(connection, project, destination, choice, upto, live, now)
            return await replays.insert_replay(
                connection,
                project.id,
                destination.name,
                backfill=new.backfill,
                choice=choice,
                after=0,
                upto=upto,
                allow_repetitions=new.allow_repetitions,
                estimated=estimated,
                events_per_second=new.events_per_second,
                now=now,
            )


def _begin_of(live: replays.Live, destination: Destination) -> int:
    if live.start_position is None:
        raise Conflict(
            f"backfill: where {destination.name!r} began with its live events was not noted; give until instead."
        )
    return live.start_position


async def _refuse_doubles(
    connection: asyncpg.Connection,
    project: Project,
    destination: Destination,
    choice: EventChoice,
    upto: int,
    live: replays.Live,
    now: datetime,
) -> None:
    """Raises Conflict when events may have reached the destination longer ago than it recognises repetitions."""
    window = destination.provider.dedupes_for
    if window is None:
        return
    earlier = await replays.sent_before(connection, project.id, destination.name)
    had = [
        (EventChoice(), live.start_position or 0, upto),
        *((sent.choice, 0, sent.upto) for sent in earlier),
    ]
    # It cannot have been sent an event before the event arrived here.
    doubled = await count_common(connection, project, choice, had, upto, now - window)
    if doubled == 0:
        return
    number = "Events" if doubled is None else "1 event" if doubled == 1 else f"{doubled} events"
    recognises = f"repetitions for {_words(window)}" if window else "no repetition"
    raise Conflict(
        f"{number} of this replay may be at {destination.name!r} already, which recognises {recognises} and would count them "
        "twice. Choose others, or set allow_repetitions to true."
    )


def _words(window: timedelta) -> str:
    return f"{window.days} days" if window.days > 1 else f"{window.total_seconds() / 3600:.0f} hours"


def _choice(project: Project, new: NewReplay) -> EventChoice:
    since = _moment("from", new.since, project)
    until = _moment("until", new.until, project, end=True)
    if since is not None and until is not None and since >= until:
        raise Unprocessable("until: it must be later than from.")
    return EventChoice(
        since, until, new.by_arrival, new.event_types, new.user_ids, new.anonymous_ids, dict(new.properties)
    )


def _moment(name: str, text: str | None, project: Project, *, end: bool = False) -> datetime | None:
    """A time, without an offset UTC; or the beginning, or with `end` the end, of a date in the project's zone."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-03-01"):
            day = date.fromisoformat(text)
            return start_of_day(day + timedelta(days=1) if end else day, project.zone)
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unprocessable(
            f"{name}: use a date such as 2026-03-01 or a time such as 2026-03-01T12:00:00Z."
        ) from None


async def change(
    connection: asyncpg.Connection,
    project: Project,
    replay_id: int,
    now: datetime,
    *,
    state: str | None = None,
    events_per_second: int | None = None,
) -> ReplayView:
    """Set `state` to `paused`, `running` (from paused or failed, or at once when it waits) or `cancelled`, or the rate.

    Raises NotFound, and Conflict when the replay is over.
    """
    view = await find(connection, project, replay_id)
    reader = replay_reader(replay_id)
    done = True
    if events_per_second is not None:
        await replays.set_rate(connection, project.id, replay_id, events_per_second)
    if state == "paused":
        done = await readers.pause_by_hand(connection, project.id, reader, BY_HAND, now)
    elif state == "cancelled":
        done = await replays.cancel(connection, project.id, replay_id, now)
    elif state == "running" and view.replay.state == "failed":
        done = await replays.reopen(connection, project.id, [replay_id], now)
    elif state == "running":
        done = await readers.probe_now(connection, project.id, reader)
        await readers.resume(connection, project.id, reader, now)
    view = await find(connection, project, replay_id)
    if not done:
        raise Conflict(f"state: replay {replay_id} is {view.replay.state} already; make a new one.")
    return view


async def find(connection: asyncpg.Connection, project: Project, replay_id: int) -> ReplayView:
    """One replay. Raises NotFound."""
    found = await view_replays(connection, project.id, replay_id=replay_id)
    if not found:
        raise NotFound(f"Project {project.slug} has no replay {replay_id}.")
    return found[0]
