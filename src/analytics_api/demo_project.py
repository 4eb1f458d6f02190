"""`analytics-api demo`: the project `demo`, with what a team would have set up in it, and made-up history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import orjson

from analytics_api.access.caller import Caller
from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.clock import system_clock
from analytics_api.domain.custom_metrics import parse_custom_metric
from analytics_api.domain.goals import Direction, Goal, GoalPeriod
from analytics_api.domain.plan import PlanMode, UnknownTypes
from analytics_api.domain.project import KeyKind, Project
from analytics_api.ingest.demo import demo_events
from analytics_api.ingest.demo_actions import Event, faulty_events
from analytics_api.ingest.draft import Status
from analytics_api.ingest.payloads import Body
from analytics_api.ingest.plan.desk import PlanDesk
from analytics_api.ingest.service import Intake, IntakeLimits
from analytics_api.ingest.writer import Writer
from analytics_api.settings import Settings
from analytics_api.store.alert_rules import RuleBody, insert_rule
from analytics_api.store.custom_metrics import add_custom_metric
from analytics_api.store.engine import Database
from analytics_api.store.goals import add_goal
from analytics_api.store.keys import create_key
from analytics_api.store.leases import owner_name
from analytics_api.store.partitions import Partitions
from analytics_api.store.plans import save_plan
from analytics_api.store.projects import create_project, find_project
from analytics_api.store.statistics import refresh_statistics

DEMO = "demo"
FAULTY_DAYS = 10

_METRICS: tuple[tuple[str, str, Any], ...] = (
    ("file_uploads", "Files uploaded", ["file_uploaded"]),
    ("analyses", "Analyses that went well", ["analysis_completed"]),
    ("feedback_downloads", "Downloads of feedback", ["feedback_downloaded"]),
)
_GOALS = (
    ("700 people a week", "wau", "at_least", 700, "week"),
    ("50 file uploads a week", "file_uploads", "at_least", 50, "week"),
    ("25 analyses a week", "analyses", "at_least", 25, "week"),
    ("10 downloads of feedback a week", "feedback_downloads", "at_least", 10, "week"),
    ("1,000 people a month", "mau", "at_least", 1_000, "month"),
    ("$3,500 a month", "revenue", "at_least", 3_500, "month"),
    ("500 file uploads a month", "file_uploads", "at_least", 500, "month"),
    ("250 analyses a month", "analyses", "at_least", 250, "month"),
    ("100 downloads of feedback a month", "feedback_downloads", "at_least", 100, "month"),
    ("Fewer than 1 % failed analyses", "analysis_error_rate", "at_most", 0.01, "week"),
)
_RULES = (
    RuleBody("No sign-ups", "missing_event_type", {"event_type": "signup_completed", "minutes": 1_440}),
    RuleBody(
        "Too many failed analyses",
        "metric_threshold",
        {"metric": "analysis_error_rate", "above": 0.04, "at_least": 30},
    ),
    RuleBody("People fell by half", "metric_change", {"metric": "dau", "percent": 50, "side": "down"}),
)


def _object(required: list[str], **properties: dict[str, Any]) -> str:
    schema = {"type": "object", "required": required, "properties": properties}
    return orjson.dumps(schema).decode()


_TEXT, _NUMBER = {"type": "string"}, {"type": "number", "minimum": 0}
_PLAN = {
    "download": (
        _object(["track_name"], track_name=_TEXT, format=_TEXT, success={"type": "boolean"}),
        "A track was downloaded, or was not.",
    ),
    "file_uploaded": (_object(["type"], type=_TEXT, size=_NUMBER), "A file was uploaded; size in bytes."),
    "rating_given": (
        _object(["rating"], rating={"type": "integer", "minimum": 1, "maximum": 5}),
        "One to five stars for the feedback.",
    ),
    "experiment_viewed": (
        _object(["experiment", "variant"], experiment=_TEXT, variant=_TEXT),
        "Somebody saw a variant of an experiment.",
    ),
}


async def fill_demo(database: Database, settings: Settings, *, days: int) -> int:
    """Put made-up history of the last `days` days into the project `demo`. Returns how many events were new."""
    now = system_clock()
    first = now.date() - timedelta(days=days)
    project = await _project(database, first)
    writer = Writer(
        database, Partitions(settings.partition_interval), queue_bytes=settings.intake_queue_bytes
    )
    writer.start()
    desk = PlanDesk(database, queue_bytes=settings.intake_queue_bytes)
    await desk.start()
    reader = RollupReader(database, owner_name())
    faulty = faulty_events(max(first, now.date() - timedelta(days=FAULTY_DAYS)), now)
    try:
        stored = await _store(Intake(writer, IntakeLimits()), project, demo_events(first, now))
        stored += await _store(Intake(writer, IntakeLimits(), desk=desk), project, faulty)
        await reader.run_once()
        async with database.acquire() as connection:
            await refresh_statistics(connection)
    finally:
        await desk.stop()
        await writer.close()
        await reader.disconnect()
    return stored


async def _project(database: Database, first: date) -> Project:
    """The project; when it is new, with its metrics, goals from the day `first` on, rules and plan."""
    now = system_clock()
    async with database.write() as connection:
        found = await find_project(connection, DEMO)
        if found is not None:
            return found
        project = await create_project(connection, DEMO, name="Demo (made-up data)", currency="USD", now=now)
        for metric in _metrics():
            await add_custom_metric(connection, project.id, parse_custom_metric(metric), now)
        for title, metric_name, direction, target, period in _GOALS:
            goal = Goal(
                title, metric_name, Direction(direction), Decimal(str(target)), GoalPeriod(period), first
            )
            await add_goal(connection, project.id, goal, now)
        # Nobody gets to know them: they are there to be looked at.
        for name, kind in (("Website (made-up)", KeyKind.WRITE), ("Backend (made-up)", KeyKind.SERVER)):
            await create_key(connection, project.id, kind, name=name, now=now)
    async with database.acquire() as connection:
        await save_plan(connection, project.id, PlanMode.QUARANTINE, UnknownTypes.ALLOW, _PLAN, now)
        for rule in _RULES:
            await insert_rule(connection, project.id, rule, now)
    return project


def _metrics() -> Iterator[dict[str, Any]]:
    for name, title, types in _METRICS:
        yield {"name": name, "title": title, "measure": {"of": "events", "events": types}}
    yield {
        "name": "analysis_error_rate",
        "title": "Failed analyses",
        "description": "How many analyses fail.",
        "measure": {
            "numerator": {"of": "events", "events": ["analysis_failed"]},
            "denominator": {"of": "events", "events": ["analysis_failed", "analysis_completed"]},
        },
    }


async def _store(intake: Intake, project: Project, events: list[Event]) -> int:
    """How many of the events were new."""
    stored = 0
    for start in range(0, len(events), 2_000):
        body = Body([orjson.dumps(event) for event in events[start : start + 2_000]], single=False)
        results = await intake.take(body, Caller.local(project))
        stored += sum(result.status is Status.ACCEPTED for result in results)
    return stored
