"""POST /deliveries/replay and what goes with it: made, watched, paused, resumed, ended."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query, Request

from analytics_api.access.dependencies import DatabaseOf, EditCaller, ReadCaller
from analytics_api.deliver import replaying
from analytics_api.deliver.replay_schemas import (
    ChangeReplay,
    ReplayChoice,
    ReplayInfo,
    ReplayList,
    StartReplay,
)
from analytics_api.deliver.service import Destinations
from analytics_api.domain.outcome import EndState
from analytics_api.domain.project import Project
from analytics_api.routes import Routes
from analytics_api.store.event_choice import EventChoice
from analytics_api.store.replay_views import ReplayView, view_replays

router = Routes(prefix="/deliveries", tags=["delivery"])

ReplayId = Annotated[int, Path(ge=1, le=2**63 - 1)]


def _destinations(request: Request) -> Destinations:
    destinations: Destinations = request.app.state.services.destinations
    return destinations


@router.post("/replay", summary="Send stored events to a destination again", status_code=201)
async def start_replay(
    body: StartReplay, request: Request, caller: EditCaller, database: DatabaseOf
) -> ReplayInfo:
    """Chosen events of the log, in its order, with their own ids and times, beside the live events and behind them.

    With `backfill` those that a destination has never had, because it was added later.
    """
    destinations = _destinations(request)
    await destinations.refresh()
    made = await replaying.start(
        database,
        caller.project,
        body.destination,
        destinations.find(caller.project, body.destination),
        body.to_new(),
        datetime.now(UTC),
    )
    async with database.acquire() as connection:
        view = await replaying.find(connection, caller.project, made.id)
    return _info(view, destinations, caller.project)


@router.get("/replays", summary="Replays and how far they are")
async def list_replays(
    request: Request,
    caller: ReadCaller,
    database: DatabaseOf,
    destination: Annotated[
        str | None, Query(description="Only to this destination.", pattern=r"^[^\x00]*$")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
) -> ReplayList:
    """The newest first."""
    async with database.look() as connection:
        found = await view_replays(
            connection, caller.project.id, destination=destination, before=before, limit=limit + 1
        )
    page = found[:limit]
    return ReplayList(
        replays=[_info(view, _destinations(request), caller.project) for view in page],
        next=page[-1].replay.id if len(found) > limit else None,
    )


@router.get("/replays/{replay_id}", summary="One replay and how far it is")
async def get_replay(
    replay_id: ReplayId, request: Request, caller: ReadCaller, database: DatabaseOf
) -> ReplayInfo:
    """Everything but its dead letters, which `GET /deliveries/dead-letters?replay=` lists."""
    async with database.look() as connection:
        view = await replaying.find(connection, caller.project, replay_id)
    return _info(view, _destinations(request), caller.project)


@router.patch("/replays/{replay_id}", summary="Pause, resume or cancel a replay, or change its rate")
async def change_replay(
    replay_id: ReplayId, body: ChangeReplay, request: Request, caller: EditCaller, database: DatabaseOf
) -> ReplayInfo:
    """Noticed within seconds; what is in flight is finished first. A cancelled replay cannot be resumed."""
    async with database.acquire() as connection:
        view = await replaying.change(
            connection,
            caller.project,
            replay_id,
            datetime.now(UTC),
            state=body.state,
            events_per_second=body.events_per_second,
        )
    return _info(view, _destinations(request), caller.project)


def _info(view: ReplayView, destinations: Destinations, project: Project) -> ReplayInfo:
    replay = view.replay
    totals: Counter[str] = Counter()
    for (outcome, _), events in view.counts.items():
        totals[outcome] += events
    now = datetime.now(UTC)
    configured = destinations.find(project, replay.destination) is not None
    return ReplayInfo(
        id=replay.id,
        destination=replay.destination,
        state=view.state,
        reason=view.why(now)
        if configured or replay.state != "running"
        else "its destination is not configured",
        choice=_choice(replay.choice),
        backfill=replay.backfill,
        allow_repetitions=replay.allow_repetitions,
        events_per_second=replay.events_per_second,
        estimated=replay.estimated,
        done=view.done,
        delivered=totals[EndState.DELIVERED],
        skipped=totals[EndState.SKIPPED],
        dead=totals[EndState.DEAD],
        unknown=totals[EndState.UNKNOWN],
        parked=view.parked,
        skipped_by_reason={
            reason: events for (outcome, reason), events in view.counts.items() if outcome == EndState.SKIPPED
        },
        progress=view.progress,
        position=view.position,
        end_position=replay.upto_seq,
        retry_at=view.retry_at if view.retry_at is not None and view.retry_at > now else None,
        last_error=view.last_error,
        created_at=replay.created_at,
        finished_at=replay.finished_at,
    )


def _choice(choice: EventChoice) -> ReplayChoice:
    return ReplayChoice(
        since=choice.since,
        until=choice.until,
        time="arrival" if choice.by_arrival else "occurrence",
        event_types=choice.event_types,
        user_ids=choice.user_ids,
        anonymous_ids=choice.anonymous_ids,
        properties=dict(choice.properties),
    )
