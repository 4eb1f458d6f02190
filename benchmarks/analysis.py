"""`python -m benchmarks.analysis --events 1000000 --days 36`: how long questions about the last 30 days take.

The log and the rollups are filled by SQL: intake has benchmarks of its own. `ratio` is the wall time against that of counting the
same rows in the database, measured in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI

from analytics_api.access.authenticator import Authenticator
from analytics_api.query.analysis.routes import router
from analytics_api.query.metrics import FigureRules
from analytics_api.store.embedded import EmbeddedServer
from analytics_api.store.engine import QUERY_TIMEOUT_MS, Database
from analytics_api.store.migrate import upgrade
from analytics_api.store.partitions import Partitions
from analytics_api.store.projects import ensure_project

NOW = datetime(2026, 11, 21, tzinfo=UTC)
STRETCH = 1_000_000
"""Events that one statement makes."""
KINDS = (
    ["page_view"] * 9
    + ["feature_used"] * 4
    + ["generation_started"] * 2
    + ["generation_completed", "login", "settings_changed", "signup_completed", "payment_completed"]
)
"""How often events of each type happen, in twentieths."""
_STEPS = [{"event": "page_view"}, {"event": "generation_started"}, {"event": "payment_completed"}]


def _where(path: str, op: str, value: str, event: str | None = "page_view") -> dict[str, Any]:
    return {"event": event, "filters": [{"path": path, "op": op, "value": value}]}


_PAGE = _where("event_data.path", "is", "/page/1")
QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "funnel of rare events": ("funnel", {"steps": [{"event": "signup_completed"}, *_STEPS[1:]]}),
    "funnel, frequent first step": ("funnel", {"steps": _STEPS}),
    "  by country": ("funnel", {"steps": _STEPS, "breakdown": "context.country"}),
    "  strict": ("funnel", {"steps": _STEPS, "order": "strict"}),
    "  in any order": ("funnel", {"steps": _STEPS, "order": "any"}),
    "retention, any activity": ("retention", {"columns": 30}),
    "  of signups": ("retention", {"columns": 30, "birth": {"event": "signup_completed"}}),
    "  of first page views": ("retention", {"columns": 30, "birth": {"event": "page_view"}}),
    "  by the own clock": ("retention", {"columns": 30, "clock": "rolling"}),
    "  of first views of a page": ("retention", {"columns": 30, "birth": _PAGE}),
    "  of other pages": (
        "retention",
        {"columns": 30, "birth": _where("event_data.path", "is_not", "/page/1")},
    ),
    "  of pages of a kind": (
        "retention",
        {"columns": 30, "birth": _where("event_data.path", "contains", "/page/1")},
    ),
    "  of some pages": (
        "retention",
        {"columns": 30, "birth": _where("event_data.path", "starts_with", "/page/12")},
    ),
    "  from a country": ("retention", {"columns": 30, "birth": _where("context.country", "is", "DE")}),
    "  of anything from a country": (
        "retention",
        {"columns": 30, "birth": _where("context.country", "is", "DE", None)},
    ),
    "  of first page views, segment": (
        "retention",
        {
            "columns": 30,
            "birth": {"event": "page_view"},
            "filters": _where("context.country", "is", "DE")["filters"],
        },
    ),
    "  that come back to a page": ("retention", {"columns": 30, "birth": _PAGE, "returning": _PAGE}),
    "  that come back to other pages": (
        "retention",
        dict.fromkeys(("birth", "returning"), _where("event_data.path", "is_not", "/page/1"))
        | {"columns": 30},
    ),
    "lifecycle of other pages": (
        "lifecycle",
        {"activity": _where("event_data.path", "is_not", "/page/1"), "period": "daily"},
    ),
    "journeys from a signup": ("journeys", {"anchor": {"event": "signup_completed"}, "unit": "person"}),
    "journeys from a page": (
        "journeys",
        {"anchor": _PAGE, "node": "event_data.path", "nodes": [{"event": "page_view"}], "unit": "person"},
    ),
    "trend of persons": ("trends", {"series": [{"event": "page_view", "of": "persons"}]}),
}

_FILL = """
    INSERT INTO events (project_id, event_id, person_id, has_person, is_bot, trusted, user_id, event_type, event_data, context,
                        occurred_at, received_at)
    SELECT $1, gen_random_uuid(), md5('u' || who)::uuid, true, number % 50 = 0, false, 'user-' || who,
           ($6::text[])[1 + floor(random() * 20)::int],
           jsonb_build_object('path', '/page/' || (number * 7919 % 400), 'title', 'Title of the page'),
           jsonb_build_object('browser', 'Chrome', 'country', (ARRAY['DE', 'US', 'FR', 'GB'])[1 + number % 4],
                              'page', jsonb_build_object('url', 'https://app.example.com/page/' || (number * 7919 % 400))),
           moment, moment + interval '1 second'
    FROM (
        SELECT number, (power(random(), 2) * $5::float8)::int AS who, $4::timestamptz + number * $7::interval AS moment
        FROM generate_series($2::bigint, $3::bigint - 1) AS number
    ) AS made
"""
_ROLL_UP = (
    """
    INSERT INTO person_days (person_id, day, project_id, active, active_with_bots, events)
    SELECT person_id, (occurred_at AT TIME ZONE 'UTC')::date, $1, bool_or(NOT is_bot), true, count(*)
    FROM events WHERE project_id = $1 GROUP BY 1, 2
    """,
    """
    INSERT INTO persons (person_id, project_id, user_id, first_seen_at, last_seen_at, first_day, first_day_with_bots,
                         last_active_day, last_active_day_with_bots, first_signup_at, first_signup_day)
    SELECT person_id, $1, min(user_id), min(occurred_at), max(occurred_at),
           (min(occurred_at) FILTER (WHERE NOT is_bot) AT TIME ZONE 'UTC')::date, (min(occurred_at) AT TIME ZONE 'UTC')::date,
           (max(occurred_at) FILTER (WHERE NOT is_bot) AT TIME ZONE 'UTC')::date, (max(occurred_at) AT TIME ZONE 'UTC')::date,
           min(occurred_at) FILTER (WHERE event_type = 'signup_completed'),
           (min(occurred_at) FILTER (WHERE event_type = 'signup_completed') AT TIME ZONE 'UTC')::date
    FROM events WHERE project_id = $1 GROUP BY 1
    """,
    """
    INSERT INTO person_firsts (person_id, event_type, project_id, first_at, first_at_with_bots)
    SELECT person_id, event_type, $1, min(occurred_at) FILTER (WHERE NOT is_bot), min(occurred_at)
    FROM events WHERE project_id = $1 GROUP BY 1, 2
    """,
    """
    INSERT INTO event_days (project_id, day, event_type, is_bot, events)
    SELECT $1, (occurred_at AT TIME ZONE 'UTC')::date, event_type, is_bot, count(*)
    FROM events WHERE project_id = $1 GROUP BY 2, 3, 4
    """,
    """
    INSERT INTO readers (project_id, name, position, updated_at)
    SELECT $1, 'rollups', max(seq), now() FROM events WHERE project_id = $1
    """,
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    events: int
    days: int
    persons: int


async def fill(database: Database, size: Size) -> None:
    """A project with so many events up to NOW."""
    since = NOW - timedelta(days=size.days)
    async with database.write() as session:
        project = await ensure_project(session, "default", time_zone="UTC", now=NOW)
    connection: asyncpg.Connection = await database.connect()
    partitions = Partitions()
    await partitions.load(connection)
    moment = since
    while moment < NOW:
        moment = (await partitions.ensure(connection, moment)).upper
    apart = timedelta(days=size.days) / size.events
    for first in range(0, size.events, STRETCH):
        last = min(first + STRETCH, size.events)
        await connection.execute(_FILL, project.id, first, last, since, size.persons, KINDS, apart)
    for statement in _ROLL_UP:
        await connection.execute(statement, project.id)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def measure(url: str, size: Size, rounds: int, filled: Path, only: str) -> None:
    """Fill unless the file says that this was done, ask everything, print."""
    database = Database(url)
    await database.open()
    if not filled.exists():
        await fill(database, size)
        filled.touch()
    app = FastAPI()
    router.put_into(app)
    app.state.database = database
    app.state.authenticator = Authenticator(database, open_on_loopback=True)
    app.state.figures = FigureRules(7, lambda: NOW - timedelta(seconds=1))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1), raise_app_exceptions=False)
    print(f"{size.events:,} events of {size.persons:,} persons in {size.days} days; the last 30 days:")
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=300) as client:
        bare = await _count(database)
        print(f"  {'count(DISTINCT person_id) of them':<34} {bare:6.2f} s")
        for name, (path, question) in QUESTIONS.items():
            if only not in name and only not in path:
                continue
            found = await _ask(client, f"/analysis/{path}", question, rounds)
            if found is None:
                print(f"  {name:<34} cut off: a statement took more than {QUERY_TIMEOUT_MS // 1000} s")
                continue
            took, own = found
            print(f"  {name:<34} {took:6.2f} s  {own:5.2f} s of it in this process  ratio {took / bare:.2f}")
    await database.close()


async def _count(database: Database) -> float:
    async with database.acquire() as connection:
        started = time.perf_counter()
        await connection.fetchval(
            "SELECT count(DISTINCT person_id) FROM events WHERE project_id = 1 AND occurred_at >= $1",
            NOW - timedelta(days=30),
        )
        return time.perf_counter() - started


async def _ask(
    client: httpx.AsyncClient, path: str, question: dict[str, Any], rounds: int
) -> tuple[float, float] | None:
    """Seconds of the median of some rounds, and of this process's processor; None when the database cut it off."""
    found = []
    for _ in range(rounds):
        started, own = time.perf_counter(), time.process_time()
        answer = await client.post(path, json=question)
        if answer.status_code == 500 and time.perf_counter() - started > QUERY_TIMEOUT_MS / 1000:
            return None
        if answer.status_code != 200:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:500]}")
        found.append((time.perf_counter() - started, time.process_time() - own))
    return sorted(found)[len(found) // 2]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=36)
    parser.add_argument("--persons", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--keep", type=Path, help="a folder in which the filled database stays for the next run"
    )
    parser.add_argument(
        "--only", default="", help="ask those questions alone whose name or endpoint this is part of"
    )
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="analytics-bench-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        server = EmbeddedServer(folder / "data")
        url = server.start()
        stack.callback(server.stop)
        upgrade(url)
        size = Size(given.events, given.days, given.persons)
        asyncio.run(measure(url, size, given.rounds, folder / "filled", given.only))


if __name__ == "__main__":
    main()
