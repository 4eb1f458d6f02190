"""`python -m benchmarks.figures`: how long figures take to be answered while events arrive, at one size of the log and at ten times it.

The log is filled by one INSERT; everything behind it is the product's own: the rollup reader counts it, the closing makes the figures. Every so
many answers one is held against a recount of raw events, so that no stale figure passes for a fast one.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import orjson

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.clock import system_clock
from analytics_api.domain.event import INACTIVE_EVENT_TYPES
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from analytics_api.store.projects import DEFAULT, ensure_project
from benchmarks.__main__ import BATCH, EVENTS, Bench, line, running

DAYS = 365
EVENTS_PER_PERSON = 10
CHUNK = 100_000
WANTED_MS = 15.0
WANTED_RATIO = 1.2
CHART = ("dau", "mau_rolling", "new_registrations", "revenue", "sessions", "stickiness")
ROOT = "/api/v1/analytics/metrics"

# Person n comes on a day of their own and again after 1, 4, 9, ... times something between 1 and 4 days, around to the beginning.
_PLAN = """
    CREATE UNLOGGED TABLE plan AS
    SELECT n, j, (current_date - {days}) + ((n::bigint * 7919 + j * j * (1 + n % 4)) % {days})::int
                 + make_interval(secs => (n::bigint * 7907 + j * 3571) % 86400) AS at
    FROM generate_series(0, {persons} - 1) AS n, generate_series(0, {each} - 1) AS j
    ORDER BY 3
"""
_FILL = """
    INSERT INTO events (project_id, event_id, person_id, has_person, is_bot, trusted, user_id, event_type, event_data, context,
                        revenue, currency, occurred_at, received_at)
    SELECT 1, gen_random_uuid(), md5('person ' || n)::uuid, true, n % 50 = 0, true, 'user-' || n,
           CASE WHEN j = 0 AND n % 3 = 0 THEN 'signup_completed' WHEN j = 3 AND n % 6 = 0 THEN 'payment_completed'
                WHEN j = 4 AND n % 60 = 0 THEN 'subscription_created' WHEN j = 9 AND n % 300 = 0 THEN 'subscription_cancelled'
                WHEN j % 3 = 1 THEN 'feature_used' ELSE 'page_view' END,
           CASE WHEN j = 3 AND n % 6 = 0 THEN jsonb_build_object('payment_id', 'p' || n)
                WHEN n % 60 = 0 AND j IN (4, 9) THEN jsonb_build_object('subscription_id', 's' || n, 'amount', 10)
                ELSE jsonb_build_object('path', '/page/' || n % 100, 'title', 'Page ' || n % 100) END,
           '{"page": {"path": "/"}, "locale": "en-GB", "browser": {"name": "Firefox"}}',
           CASE WHEN j = 3 AND n % 6 = 0 THEN 19.99 END, CASE WHEN j = 3 AND n % 6 = 0 THEN 'USD' END, at, now()
    FROM plan
"""
_NOTE = """
    INSERT INTO event_groups (project_id, lower, after_seq, last_seq, events, received_at)
    SELECT 1, lower, 0, (SELECT max(seq) FROM events), 1, now() FROM partitions
    WHERE lower <= now() AND upper > now() - make_interval(days => {days} + 1)
"""
_ACTIVE = """
    SELECT count(DISTINCT person_id) FROM events
    WHERE project_id = 1 AND occurred_at >= $1 AND occurred_at < $2 AND seq <= $3 AND has_person AND NOT is_bot
      AND event_type <> ALL ($4::text[])
"""


async def fill(url: str, persons: int) -> None:
    """A year of events, counted and closed."""
    database = Database(url, pool_size=4)
    await database.open()
    began = time.monotonic()
    try:
        async with database.write() as session:
            await ensure_project(session, DEFAULT, now=system_clock())
        partitions = Partitions("month")
        async with database.acquire() as connection:
            await connection.execute("SET work_mem = '512MB'")
            for days in range(-1, DAYS + 28, 28):
                await partitions.ensure(connection, datetime.now(UTC) - timedelta(days=days))
            given = {"persons": persons, "each": EVENTS_PER_PERSON, "days": DAYS}
            await connection.execute(_PLAN.format(**given), timeout=3600)
            await connection.execute(_FILL, timeout=3600)
            await connection.execute("DROP TABLE plan")
            await connection.execute(_NOTE.format(**given))
            await connection.execute("VACUUM ANALYZE events", timeout=3600)
        stored = time.monotonic()
        reader = RollupReader(database, "benchmark", chunk=CHUNK)
        [report] = await reader.run_once()
        await reader.disconnect()
        if report.events != persons * EVENTS_PER_PERSON:
            raise SystemExit(f"{report.events} events were counted: {report.error}")
        counted = time.monotonic()
        async with database.acquire() as connection:
            await connection.execute("VACUUM ANALYZE", timeout=3600)
        vacuumed = time.monotonic()
        await close_due_days(database, system_clock(), late_days=7)
    finally:
        await database.close()
    line("", f"filled in {stored - began:.0f} s, counted in {counted - stored:.0f}, vacuumed in {vacuumed - counted:.0f}, "
         f"closed in {time.monotonic() - vacuumed:.0f}")  # fmt: skip


@dataclass(slots=True)
class Client:
    """One connection that asks for figures."""

    bench: Bench
    key: str
    connection: http.client.HTTPConnection

    @classmethod
    def of(cls, bench: Bench) -> Client:
        """With a read key of its own."""
        made = subprocess.run(
            [sys.executable, "-m", "analytics_api", "keys", "create", "--kind", "read"],
            cwd=bench.folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return cls(
            bench,
            made.stdout.splitlines()[-1],
            http.client.HTTPConnection("127.0.0.1", bench.port, timeout=60),
        )

    def ask(self, path: str) -> tuple[float, bytes]:
        """Milliseconds and the answer."""
        began = time.perf_counter()
        self.connection.request("GET", f"{ROOT}{path}", headers={"X-API-Key": self.key})
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:300]!r}")
        return took, body


class Recount:
    """Figures counted from raw events, up to how far the rollups are."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.checked = 0

    def position(self) -> int:
        """How far the rollups are now."""
        return int(self._run("SELECT position FROM readers WHERE project_id = 1 AND name = 'rollups'"))

    def active(self, first: date, last: date, position: int) -> int:
        """Persons active on the days from `first` to `last`."""
        lower, upper = (
            datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, last + timedelta(days=1))
        )
        return int(self._run(_ACTIVE, lower, upper, position, list(INACTIVE_EVENT_TYPES)))

    def _run(self, sql: str, *parameters: object) -> int:
        async def run() -> int:
            connection = await asyncpg.connect(self._dsn)
            try:
                found: int = await connection.fetchval(sql, *parameters)
                return found
            finally:
                await connection.close()

        return asyncio.run(run())

    def check(self, what: str, first: date, last: date, ask: Callable[[], float]) -> None:
        """An answer lies between a recount of what was counted before it and one of what was counted after it."""
        before = self.position()
        answer = ask()
        after = self.position()
        least, most = (self.active(first, last, position) for position in (before, after))
        if not least <= answer <= most:
            raise SystemExit(f"{what}: answered {answer:g}, recounted {least} to {most}")
        self.checked += 1


def compare(client: Client, recount: Recount, chart: str, day: date, today: date) -> None:
    """A day of the past, today, and two fields of the dashboard."""

    def in_chart(wanted: date) -> float:
        answer = orjson.loads(client.ask(f"{chart}dau")[1])
        return float(next(each["value"] for each in answer if each["metric_date"] == str(wanted)))

    def in_dashboard(field: str) -> float:
        return float(orjson.loads(client.ask("/dashboard")[1])[field])

    month = today - timedelta(days=29)
    recount.check(f"dau of {day}", day, day, lambda: in_chart(day))
    recount.check("dau of today", today, today, lambda: in_chart(today))
    recount.check("daily_active_users", today, today, lambda: in_dashboard("daily_active_users"))
    recount.check("monthly_active_users", month, today, lambda: in_dashboard("monthly_active_users"))


def measure(bench: Bench, requests: int, rate: int, check_every: int) -> dict[str, float]:
    """Percentile 99 of each kind of question in milliseconds, while events arrive."""
    client, recount, dice = Client.of(bench), Recount(bench.dsn), random.Random(3)
    sender = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stream", str(bench.port), EVENTS, bench.key, str(10_000_000 // BATCH * BATCH), str(rate), "1"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(3)
        took: dict[str, list[float]] = {"dashboard": [], "365 days": []}
        for number in range(requests):
            today = datetime.now(UTC).date()
            since = today - timedelta(days=DAYS - 1)
            chart = f"/aggregated?start_date={since}&end_date={today}&metric_type="
            took["dashboard"].append(client.ask("/dashboard")[0])
            took["365 days"].append(client.ask(chart + CHART[number % len(CHART)])[0])
            if number % check_every:
                continue
            compare(client, recount, chart, since + timedelta(days=dice.randrange(DAYS - 1)), today)
    finally:
        sender.terminate()
        sender.wait()
    found = {}
    for name, times in took.items():
        times.sort()
        found[name] = times[int(len(times) * 0.99)]
        line(
            "",
            f"{name}: median {times[len(times) // 2]:.1f} ms, p99 {found[name]:.1f} (wanted {WANTED_MS:.0f})",
        )
    line("", f"{recount.checked} answers equal a recount; {rate} events/s arrived")
    return found


def main() -> None:
    """Run at each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thousands", type=int, nargs="+", default=[1_000, 10_000], help="of events")
    parser.add_argument("--requests", type=int, default=1_000, help="of each kind")
    parser.add_argument("--rate", type=int, default=500, help="events that arrive in a second")
    parser.add_argument("--check-every", type=int, default=100)
    parser.add_argument(
        "--keep", type=Path, help="folder for the databases, so that the next run need not fill them"
    )
    options = parser.parse_args()
    first: dict[str, float] | None = None
    for thousands in options.thousands:
        persons = thousands * 1000 // EVENTS_PER_PERSON
        line(f"{thousands:,} thousand events", f"{persons:,} persons")
        kept = None if options.keep is None else options.keep / f"{thousands}"
        found = run(persons, options.requests, options.rate, options.check_every, kept)
        if not found:
            continue
        if first is not None:
            for name, p99 in found.items():
                line("", f"{name}: ratio {p99 / first[name]:.2f} (wanted at most {WANTED_RATIO})")
        first = first or found


def run(persons: int, requests: int, rate: int, check_every: int, kept: Path | None) -> dict[str, float]:
    """Fill what is not filled yet, serve and measure; without requests only fill."""
    filled = kept is not None and (kept / "filled").exists()

    def prepare(url: str) -> None:
        if not filled:
            asyncio.run(fill(url, persons))
            if kept is not None:
                (kept / "filled").touch()

    with running(["serve", "--with-worker"], prepare=prepare, kept=kept) as bench:
        return measure(bench, requests, rate, check_every) if requests else {}


if __name__ == "__main__":
    main()
