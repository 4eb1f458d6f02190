"""Destinations for tests: a reader towards a stand-in, under a clock that the test moves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from analytics_api.deliver.destination import Destination, DestinationConfig, open_destination
from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.report import FlushReport
from analytics_api.deliver.rules import Rules
from analytics_api.domain.project import Project
from analytics_api.outbound.connections import Client
from analytics_api.store import delivery_overview
from analytics_api.store.deliveries import reader_name
from analytics_api.store.delivery_overview import Overview
from analytics_api.store.engine import Database
from analytics_api.store.readers import ensure_reader
from tests.support.events import NOW, make_event, write_events
from tests.support.providers import AmplitudeStandIn, Fault

DOWN = Fault("status", status=503, body={"error": "down for repairs"})


class MovableClock:
    """Stands still until the test moves it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Let time pass: `move(seconds=30)`."""
        self.now += timedelta(**by)


def destination(
    provider: str, options: Mapping[str, str], *, muted: bool = False, rules: Rules | None = None
) -> Destination:
    """A destination of that provider."""
    return open_destination(DestinationConfig(provider, options, rules=rules), muted=muted)


async def make_reader(
    database: Database,
    project: Project,
    to: Destination,
    client: Client,
    clock: MovableClock,
    *,
    owner: str = "test",
    batch_size: int = 100,
    lanes: int = 4,
    start: int = 0,
) -> DestinationReader:
    """A reader with its row, at the beginning of the log unless the row is there already."""
    async with database.acquire() as connection:
        await ensure_reader(connection, project.id, reader_name(to.name), start, clock())
    return DestinationReader(
        database, project, to, client, owner, batch_size=batch_size, lanes=lanes, clock=clock
    )


async def run_until_quiet(
    reader: DestinationReader, clock: MovableClock, *, most_runs: int = 200
) -> list[FlushReport]:
    """Run, and let the time pass that the reader asks for, until nothing is left to do."""
    reports = []
    for _ in range(most_runs):
        report = await reader.run_once()
        reports.append(report)
        if report.retry_at is None:
            return reports
        clock.now = max(clock.now, report.retry_at) + timedelta(milliseconds=1)
    raise AssertionError(f"still not quiet after {most_runs} runs: {reports[-1]}")


async def overview(database: Database, project: Project, name: str) -> Overview:
    """How a destination stands."""
    async with database.acquire() as connection:
        found = await delivery_overview.overviews(connection, project.id)
    return next(each for each in found if each.destination == name)


def total(found: Overview, outcome: str) -> int:
    """Events counted under an outcome."""
    tally = found.total
    return tally.skipped.total() if outcome == "skipped" else int(getattr(tally, outcome))


async def write_numbered(
    database: Database, project: Project, number: int, *, users: int = 5, first: int = 0, **given: Any
) -> list[str]:
    """Events of several users in turn; their ids in the order of the log."""
    events = [
        make_event(project, user_id=f"user-{n % users}", event_data={"n": n}, **given)
        for n in range(first, first + number)
    ]
    await write_events(database, events)
    return [str(event.event_id) for event in events]


def arrivals(amplitude: AmplitudeStandIn) -> list[str]:
    """Ids of the events in the order of their first arrival."""
    return [event["insert_id"] for event in amplitude.stored]


def by_user(amplitude: AmplitudeStandIn) -> dict[str, list[int]]:
    """The numbers of each user's events in the order of their arrival."""
    found: dict[str, list[int]] = {}
    for event in amplitude.stored:
        found.setdefault(event["user_id"], []).append(event["event_properties"]["n"])
    return found
