"""`analytics-api deliveries show | breakdown | reconciliation`: where events are, and what the providers acknowledged."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer

from analytics_api.commands.context import ProjectOption, opened_project, run_command
from analytics_api.configured import make_destinations
from analytics_api.deliver.administration import check_name
from analytics_api.deliver.overview import breakdown, reconciliation, statuses, window_of
from analytics_api.deliver.overview_schemas import DestinationStatus
from analytics_api.domain.clock import system_clock
from analytics_api.outbound.connections import make_client
from analytics_api.settings import load_settings
from analytics_api.store.deliveries import Answers
from analytics_api.store.delivery_answers import Cell, stored_answers
from analytics_api.store.delivery_overview import Overview, overviews
from analytics_api.store.delivery_window import Grain
from analytics_api.store.leases import owner_name
from analytics_api.store.projects import DEFAULT

overview_app = typer.Typer()

By = Annotated[Grain, typer.Option(help="What a line sums up.")]
From = Annotated[str | None, typer.Option("--from", help="Date or time; default: 24 hours or 30 days ago.")]
To = Annotated[str | None, typer.Option("--to", help="Date or time, not included.")]
DestinationName = Annotated[str | None, typer.Option("--destination", help="Only of this one.")]

_COUNTS = ("received", "pending", "parked", "delivered", "skipped", "dead", "unknown", "difference")
_ANSWERS = (
    "requests",
    "sent",
    "unanswered",
    "acknowledged",
    "acknowledged_as_number",
    "delivered_records",
    "delivered_events",
    "difference",
)


def _table(columns: Iterable[str], lines: Iterable[Iterable[Any]]) -> None:
    typer.echo("\t".join(columns))
    for line in lines:
        typer.echo("\t".join(_text(value) for value in line))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    if isinstance(value, dict):
        return " ".join(f"{name}={number}" for name, number in value.items())
    return "" if value is None else str(value)


@overview_app.command("show")
def show(project: ProjectOption = DEFAULT) -> None:
    """How each destination stands: state, lag in seconds, where its events are, last error."""

    async def run() -> list[DestinationStatus]:
        settings = load_settings()
        async with opened_project(project) as (database, owner, _), make_client() as client:
            destinations = make_destinations(settings, database, client, owner_name(), system_clock)
            try:
                return await statuses(database, destinations, owner, system_clock())
            finally:
                await destinations.close()

    _table(
        ("destination", "state", "breaker", "lag", *_COUNTS, "reason or last error"),
        (
            (
                each.destination,
                each.state.value,
                each.breaker.value,
                round(each.lag_seconds),
                *(getattr(each, name) for name in _COUNTS),
                _why(each),
            )
            for each in run_command(run())
        ),
    )


def _why(status: DestinationStatus) -> str | None:
    """With its time: the last error stays to be seen when everything flows again."""
    if status.reason is not None or status.last_error_at is None:
        return status.reason
    return f"{_text(status.last_error_at)} {status.last_error}"


@overview_app.command("breakdown")
def by_hour(
    by: By = Grain.HOUR,
    destination: DestinationName = None,
    event_type: Annotated[str | None, typer.Option(help="Only of this type.")] = None,
    first: From = None,
    last: To = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """Where events are, by the hour or day (UTC) of their arrival and by type."""
    window = window_of(by, first, last, system_clock())

    async def run() -> list[Overview]:
        async with opened_project(project) as (_, owner, connection):
            await check_name(connection, owner, destination)
            return await overviews(connection, owner.id, window, destination)

    _table(
        ("start", "destination", "event_type", *_COUNTS, "skipped by reason"),
        (
            (
                item.start,
                item.destination,
                item.event_type,
                *(getattr(item, name) for name in _COUNTS),
                item.skipped_by_reason,
            )
            for item in breakdown(run_command(run()), event_type)
        ),
    )


@overview_app.command("reconciliation")
def reconcile(
    by: By = Grain.DAY,
    destination: DestinationName = None,
    first: From = None,
    last: To = None,
    project: ProjectOption = DEFAULT,
) -> None:
    """What is held as delivered against what the providers acknowledged, by the hour or day (UTC) of the answer."""
    window = window_of(by, first, last, system_clock())

    async def run() -> dict[Cell, Answers]:
        async with opened_project(project) as (_, owner, connection):
            await check_name(connection, owner, destination)
            return await stored_answers(connection, owner.id, destination, window)

    _table(
        ("start", "destination", "replay", *_ANSWERS, "reasons"),
        (
            (
                item.start,
                item.destination,
                item.replay,
                *(getattr(item, name) for name in _ANSWERS),
                item.reasons,
            )
            for item in reconciliation(run_command(run()))
        ),
    )
