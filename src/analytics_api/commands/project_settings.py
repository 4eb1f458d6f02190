"""`analytics-api projects origins` and `retention`: what a project allows and how long it keeps its events."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import ValidationError

from analytics_api.access.cors import MOST_ORIGINS, checked_origins
from analytics_api.commands.context import opened, opened_project, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.domain.retention import Periods
from analytics_api.errors import Unprocessable
from analytics_api.privacy.periods import PeriodsBody, RetentionRules
from analytics_api.settings import load_settings
from analytics_api.store.projects import get_project, set_allowed_origins
from analytics_api.store.retention_periods import find_periods, save_periods
from analytics_api.store.retention_states import RetentionState, find_state

Slug = Annotated[str, typer.Argument(help="The project.")]


def origins(
    slug: Slug,
    allowed: Annotated[
        list[str] | None,
        typer.Argument(help="Origins such as https://shop.example, in place of those of before."),
    ] = None,
    none: Annotated[
        bool, typer.Option("--none", help="Name none: pages of all origins may send, and none may read.")
    ] = False,
) -> None:
    """Say whose pages may send events to a project, and read from it with a key; without origins show them."""
    if allowed and none:
        raise Unprocessable("--none goes without origins: leave one of them out.")
    checked = checked_origins(allowed or ())
    if len(checked) > MOST_ORIGINS:
        raise Unprocessable(f"origins: {len(checked)} are too many; name up to {MOST_ORIGINS}.")

    async def work() -> list[str]:
        async with opened(load_settings()) as database, database.write() as connection:
            project = await get_project(connection, slug)
            if not allowed and not none:
                return sorted(project.allowed_origins)
            await set_allowed_origins(connection, project.id, checked)
            return checked

    found = run_command(work())
    typer.echo("\n".join(found) if found else "Pages of all origins may send events, and none may read.")


def retention(
    slug: Slug,
    days: Annotated[
        int | None,
        typer.Option(min=0, help="Of types without a period of their own; 0: as the installation says."),
    ] = None,
    event_type: Annotated[
        list[str] | None,
        typer.Option("--event-type", help="TYPE=DAYS, any number of times; TYPE=0: as the other types."),
    ] = None,
) -> None:
    """Say how many days a project keeps its raw events; without options show that and what the last run did."""
    settings = load_settings()
    rules = RetentionRules(settings.data_retention_days, settings.late_days)
    changes = dict(_type_days(text) for text in event_type or ())

    async def work() -> tuple[Periods, RetentionState | None]:
        async with opened_project(slug) as (_, project, connection):
            periods = await find_periods(connection, project.id)
            if days is not None or changes:
                types = {
                    name: number for name, number in {**periods.event_types, **changes}.items() if number
                }
                periods = rules.checked(_periods(periods.days if days is None else days or None, types))
                await save_periods(connection, project.id, periods, system_clock())
            return periods, await find_state(connection, project.id)

    periods, state = run_command(work())
    default = f"{rules.default_days} days, by whole partitions (ANALYTICS__DATA_RETENTION_DAYS)"
    typer.echo(f"all types: {default if periods.days is None else f'{periods.days} days'}")
    for name, number in periods.event_types.items():
        typer.echo(f"{name}: {number} days")
    if state is not None:
        typer.echo(_last_run(state))


def _periods(days: int | None, event_types: dict[str, int]) -> Periods:
    try:
        body = PeriodsBody(days=days, event_types=event_types)
    except ValidationError as error:
        [first, *_] = error.errors()
        raise Unprocessable(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    return Periods(body.days, body.event_types)


def _type_days(text: str) -> tuple[str, int]:
    name, given, number = text.rpartition("=")
    if not given or not name or not number.isdecimal():
        raise Unprocessable(f"--event-type {text}: write TYPE=DAYS, such as page_view=60.")
    return name, int(number)


def _last_run(state: RetentionState) -> str:
    ended = "came to its end" if state.finished_at else "is running or was cut off"
    lines = [
        f"The last run began at {state.started_at:%Y-%m-%d %H:%M} UTC and {ended}: {state.events} events removed, "
        f"{len(state.partitions)} partitions dropped."
    ]
    lines += [f"  {what} had to stay: {reason}" for what, reason in state.blocked.items()]
    return "\n".join(lines)
