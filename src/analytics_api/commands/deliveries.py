"""`analytics-api deliveries`: how they stand, replays and dead letters, while everything runs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from analytics_api.commands.context import ProjectOption, opened_project, parse_pairs, run_command
from analytics_api.commands.overview import overview_app
from analytics_api.configured import make_destinations
from analytics_api.deliver import replaying
from analytics_api.deliver.replaying import FASTEST, USUAL_RATE, NewReplay
from analytics_api.domain.clock import system_clock
from analytics_api.domain.outcome import DeadKind
from analytics_api.errors import ConfigurationError
from analytics_api.outbound.connections import make_client
from analytics_api.settings import load_settings
from analytics_api.store.dead_letters import DeadChoice, dead_groups, discard_dead, retry_dead
from analytics_api.store.leases import owner_name
from analytics_api.store.projects import DEFAULT
from analytics_api.store.replay_views import ReplayView, view_replays
from analytics_api.store.replays import Replay

app = typer.Typer(
    help="What became of a project's events at its destinations; replays and dead letters.",
    no_args_is_help=True,
)
app.add_typer(overview_app)

SHOWN = 100

DestinationName = Annotated[str, typer.Argument(help="As `destinations list` shows it.")]
ReplayNumber = Annotated[int, typer.Argument(min=1, help="As `deliveries replays` shows it.")]
Names = list[str] | None
Rate = Annotated[int, typer.Option("--rate", min=1, max=FASTEST, help="Most events a second.")]
Kind = Annotated[DeadKind | None, typer.Option(help="What they died of.")]
Text = Annotated[str | None, typer.Option(help="What the words say somewhere.")]
EventType = Annotated[str | None, typer.Option(help="Only of this type.")]
EventIds = Annotated[list[UUID] | None, typer.Option("--event-id", help="Only this event. May be repeated.")]
All = Annotated[bool, typer.Option("--all", help="All that meet the conditions.")]
ReplayOption = Annotated[int | None, typer.Option("--replay", min=1, help="Only those of this replay.")]


@app.command("replay")
def replay(
    destination: DestinationName,
    since: Annotated[
        str | None, typer.Option("--from", help="A date in the project's zone, or a time (ISO 8601).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="The same; a date is included whole.")] = None,
    by_arrival: Annotated[
        bool, typer.Option("--by-arrival", help="The times are those of arrival, not of occurrence.")
    ] = False,
    event_type: Annotated[Names, typer.Option(help="Only this type. May be repeated.")] = None,
    user_id: Annotated[Names, typer.Option(help="Only of this user. May be repeated.")] = None,
    anonymous_id: Annotated[Names, typer.Option(help="Or of this device. May be repeated.")] = None,
    prop: Annotated[
        Names, typer.Option("--property", help="A text that event_data must hold: plan=pro. May be repeated.")
    ] = None,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Only what was stored before the destination began.")
    ] = False,
    allow_repetitions: Annotated[
        bool, typer.Option("--allow-repetitions", help="Also send what the destination may count twice.")
    ] = False,
    rate: Rate = USUAL_RATE,
    project: ProjectOption = DEFAULT,
) -> None:
    """Send stored events to a destination again, or with --backfill what it has never had."""
    new = NewReplay(
        since=since,
        until=until,
        by_arrival=by_arrival,
        event_types=tuple(event_type or ()),
        user_ids=tuple(user_id or ()),
        anonymous_ids=tuple(anonymous_id or ()),
        properties=parse_pairs("--property", prop or []),
        backfill=backfill,
        allow_repetitions=allow_repetitions,
        events_per_second=rate,
    )

    async def run() -> Replay:
        settings = load_settings()
        async with opened_project(project) as (database, owner, _), make_client() as client:
            destinations = make_destinations(settings, database, client, owner_name(), system_clock)
            await destinations.refresh()
            try:
                found = destinations.find(owner, destination)
                return await replaying.start(database, owner, destination, found, new, system_clock())
            finally:
                await destinations.close()

    made = run_command(run())
    number = "uncounted" if made.estimated is None else str(made.estimated)
    typer.echo(f"Replay {made.id} to {destination} is there: {number} events, {rate} a second at most.")


@app.command("replays")
def list_replays(
    destination: Annotated[str | None, typer.Option(help="Only to this destination.")] = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """The last hundred replays: number, destination, state, how far, dead letters, why."""

    async def run() -> list[ReplayView]:
        async with opened_project(project) as (_, owner, connection):
            return await view_replays(connection, owner.id, destination=destination, limit=SHOWN)

    for view in run_command(run()):
        typer.echo(_line(view))


def _line(view: ReplayView) -> str:
    whole = "?" if view.replay.estimated is None else view.replay.estimated
    share = f"{view.done}/{whole} ({view.progress:.0%})"
    why = view.why(system_clock()) or ""
    return f"{view.replay.id}\t{view.replay.destination}\t{view.state}\t{share}\t{view.counts['dead', '']} dead\t{why}"


@app.command("pause")
def pause(replay_number: ReplayNumber, project: ProjectOption = DEFAULT) -> None:
    """Stop a replay until it is resumed."""
    _change(replay_number, project, state="paused")


@app.command("resume")
def resume(
    replay_number: ReplayNumber,
    rate: Annotated[int | None, typer.Option(min=1, max=FASTEST, help="Another rate from now on.")] = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Let a replay go on that is paused, has failed or waits."""
    _change(replay_number, project, state="running", rate=rate)


@app.command("cancel")
def cancel(replay_number: ReplayNumber, project: ProjectOption = DEFAULT) -> None:
    """End a replay for good. What has been sent stays at the destination."""
    _change(replay_number, project, state="cancelled")


def _change(replay_number: int, project: str, *, state: str, rate: int | None = None) -> None:
    async def run() -> ReplayView:
        async with opened_project(project) as (_, owner, connection):
            return await replaying.change(
                connection, owner, replay_number, system_clock(), state=state, events_per_second=rate
            )

    typer.echo(_line(run_command(run())))


@app.command("dead-letters")
def dead_letters(
    destination: Annotated[str | None, typer.Option(help="Only of this destination.")] = None,
    replay_number: ReplayOption = None,
    kind: Kind = None,
    event_type: EventType = None,
    text: Text = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Dead letters counted by what they died of: number, destination, kind, event type, words."""
    choice = DeadChoice(destination, replay_number, kind, event_type, text)

    async def run() -> None:
        async with opened_project(project) as (_, owner, connection):
            for group in await dead_groups(connection, owner.id, choice):
                typer.echo(f"{group.events}\t{group.key}\t{group.kind}\t{group.event_type}\t{group.reason}")

    run_command(run())


@app.command("retry")
def retry(
    destination: DestinationName,
    everything: All = False,
    event_id: EventIds = None,
    replay_number: ReplayOption = None,
    kind: Kind = None,
    event_type: EventType = None,
    text: Text = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Put dead letters back into delivery, with the same ids."""
    choice = _choice(everything, event_id, replay_number, kind, event_type, text)

    async def run() -> int:
        async with opened_project(project) as (_, owner, connection):
            return await retry_dead(connection, owner.id, destination, choice, system_clock())

    typer.echo(f"{run_command(run())} dead letters of {destination} wait for the next run.")


@app.command("discard")
def discard(
    destination: DestinationName,
    reason: Annotated[str, typer.Option(help="Why; it is kept with them.")],
    everything: All = False,
    event_id: EventIds = None,
    replay_number: ReplayOption = None,
    kind: Kind = None,
    event_type: EventType = None,
    text: Text = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Take dead letters off the list. They stay dead in the counts."""
    choice = _choice(everything, event_id, replay_number, kind, event_type, text)

    async def run() -> int:
        async with opened_project(project) as (_, owner, connection):
            return await discard_dead(connection, owner.id, destination, choice, reason, system_clock())

    typer.echo(f"{run_command(run())} dead letters of {destination} are discarded.")


def _choice(
    everything: bool,
    event_ids: list[UUID] | None,
    replay_number: int | None,
    kind: DeadKind | None,
    event_type: str | None,
    text: str | None,
) -> DeadChoice:
    if everything == bool(event_ids):
        raise ConfigurationError("Name events with --event-id, or all that meet the conditions with --all.")
    return DeadChoice(
        replay=replay_number,
        kind=kind,
        event_type=event_type,
        text=text,
        event_ids=event_ids or None,
        discarded=None if event_ids else False,
    )
