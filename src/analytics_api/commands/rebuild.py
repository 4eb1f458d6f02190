"""`analytics-api rebuild`: the rollups and figures of a project from the log again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.rebuild import RebuildReport, Shown, rebuild_project
from analytics_api.aggregate.zone_change import change_zone
from analytics_api.commands.context import ProjectOption, opened_project, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.settings import load_settings
from analytics_api.store.leases import owner_name
from analytics_api.store.projects import DEFAULT
from analytics_api.telemetry import configure_logging

app = typer.Typer()

LINE_EVERY = 2.0


@app.command()
def rebuild(
    project: ProjectOption = DEFAULT,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First local day; default: the first there is."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last local day, included; default: today."),
    ] = None,
) -> None:
    """Make rollups and figures from the log again, while everything runs. Sealed days stay as they are."""
    if first and last and last < first:
        raise typer.BadParameter(f"--to {last.date()} is before --from {first.date()}: swap them.")
    settings = load_settings()
    configure_logging("WARNING")
    began = time.monotonic()

    async def work() -> tuple[RebuildReport, int]:
        async with opened_project(project) as (database, owner, _):
            with _shown() as shown:
                report = await rebuild_project(
                    database,
                    owner,
                    owner_name(),
                    first.date() if first else None,
                    last.date() if last else None,
                    shown=shown,
                )
                shown("figures", 0, 1)
                closings = await close_due_days(database, system_clock(), late_days=settings.late_days)
                shown("figures", 1, 1)
        return report, sum(closing.revisions for closing in closings if closing.project == owner.slug)

    report, revisions = run_command(work())
    typer.echo(summary(report, revisions, time.monotonic() - began))


def change_time_zone(
    slug: Annotated[str, typer.Argument(help="The project.")],
    zone: Annotated[str, typer.Argument(help="IANA zone, such as Europe/Berlin.")],
) -> None:
    """Count a project's days in another time zone, past ones included, while everything runs. Sealed days stay as they are."""
    settings = load_settings()
    configure_logging("WARNING")
    began = time.monotonic()

    async def work() -> tuple[RebuildReport | None, int]:
        async with opened_project(slug) as (database, owner, _):
            with _shown() as shown:
                _, report = await change_zone(database, owner, zone, owner_name(), shown=shown)
                shown("figures", 0, 1)
                closings = await close_due_days(database, system_clock(), late_days=settings.late_days)
                shown("figures", 1, 1)
        return report, sum(closing.revisions for closing in closings if closing.project == slug)

    report, revisions = run_command(work())
    typer.echo(f"Project {slug} counts days in {zone}.")
    if report is not None:
        typer.echo(summary(report, revisions, time.monotonic() - began))


def summary(report: RebuildReport, revisions: int, seconds: float) -> str:
    """What a rebuild did, for people."""
    text = (
        f"{report.days} days from {report.first} to {report.last} and {report.persons} persons were counted again "
        f"in {seconds:.1f} s; {len(report.different_days)} days and {report.different_links} links between ids were "
        f"different, {revisions} final figures changed."
    )
    if report.sealed_days:
        text += f"\n  {report.sealed_days} sealed days were left as they are: their events are gone"
    return text


@contextmanager
def _shown() -> Iterator[Shown]:
    """A bar for each stage on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                for earlier in tasks.values():
                    bars.update(earlier, completed=bars.tasks[earlier].total)
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


class _Lines:
    """A line for each stage, and every two seconds within one."""

    def __init__(self) -> None:
        self._stage = ""
        self._next = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage or now >= self._next:
            self._stage, self._next = stage, now + LINE_EVERY
            sys.stderr.write(f"rebuild: {stage}, {done} of {total}\n")
