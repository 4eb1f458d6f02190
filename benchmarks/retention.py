"""`python -m benchmarks.retention`: what removing a million old events costs those who send new ones.

The old events are of one type, among others that stay, so that they go step by step. Events are sent at a fixed rate before,
during and after; the ratio is that of the 99th percentiles of how long requests take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import mean

import asyncpg

from analytics_api.aggregate.closing import close_due_days
from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.clock import system_clock
from analytics_api.domain.retention import Periods
from analytics_api.privacy.retention import RetentionReport, apply_retention
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from analytics_api.store.projects import DEFAULT, ensure_project
from analytics_api.store.retention_periods import save_periods
from benchmarks.__main__ import EVENTS, Bench, line, running

OLDEST, YOUNGEST, PERIOD = 70, 40, 30
"""Days."""
CONNECTIONS = 16
WANTED = 1.5

_FILL = f"""
    INSERT INTO events (project_id, event_id, person_id, has_person, is_bot, trusted, user_id, event_type, event_data, context,
                        occurred_at, received_at)
    SELECT 1, gen_random_uuid(), md5('person ' || n % 20000)::uuid, true, false, true, 'user-' || n % 20000,
           CASE WHEN n % 11 = 0 THEN 'kept' ELSE 'noise' END,
           jsonb_build_object('path', '/page/' || n % 100, 'title', 'Page ' || n % 100),
           '{{"page": {{"path": "/"}}, "locale": "en-GB", "browser": {{"name": "Firefox"}}}}',
           at, at
    FROM generate_series(1, $1::bigint) AS n,
         LATERAL (SELECT now() - make_interval(days => {OLDEST})
                  + (n::float8 / $1) * make_interval(days => {OLDEST - YOUNGEST}) AS at) AS when_
"""
_NOTE = """
    INSERT INTO event_groups (project_id, lower, after_seq, last_seq, events, received_at)
    SELECT 1, lower, 0, (SELECT max(seq) FROM events), 1, now() - make_interval(days => 40) FROM partitions
    WHERE lower <= now() - make_interval(days => 40) AND upper > now() - make_interval(days => 70)
"""


async def fill(url: str, old: int) -> None:
    """Old events with some of another type among them, counted and closed."""
    database = Database(url, pool_size=4)
    await database.open()
    began = time.monotonic()
    try:
        async with database.write() as session:
            await ensure_project(session, DEFAULT, now=system_clock())
        partitions = Partitions("month")
        async with database.acquire() as connection:
            for days in range(YOUNGEST, OLDEST + 1, 10):
                await partitions.ensure(connection, datetime.now(UTC) - timedelta(days=days))
            await connection.execute(_FILL, old * 11 // 10, timeout=3600)
            await connection.execute(_NOTE)
            await connection.execute("VACUUM ANALYZE events", timeout=3600)
        reader = RollupReader(database, "benchmark", chunk=100_000)
        await reader.run_once()
        await reader.disconnect()
        await close_due_days(database, system_clock(), late_days=7)
    finally:
        await database.close()
    line("", f"filled and counted in {time.monotonic() - began:.0f} s")


@contextmanager
def sending(bench: Bench, rate: float) -> Iterator[dict[str, float]]:
    """Events are sent meanwhile; what was measured is in the dictionary afterwards."""
    arguments = [str(bench.port), EVENTS, bench.key, str(rate), str(CONNECTIONS)]
    found: dict[str, float] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.paced", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as sender:
        time.sleep(2)
        yield found
        output, _ = sender.communicate()
    figures = json.loads(output)
    if set(figures["statuses"]) != {"202"}:
        raise SystemExit(f"not every request was answered with 202: {figures['statuses']}")
    found |= {name: figures[name] for name in ("requests", "median_ms", "p99_ms")}


def quiet(bench: Bench, rate: float, seconds: float) -> dict[str, float]:
    """What requests take while nothing is removed."""
    with sending(bench, rate) as found:
        time.sleep(seconds)
    return found


async def remove(dsn: str) -> RetentionReport:
    """One run, as a worker does it at night, after a period has been decided on."""
    database = Database(dsn, pool_size=2)
    await database.open()
    try:
        async with database.acquire() as connection:
            await save_periods(connection, 1, Periods(event_types={"noise": PERIOD}), system_clock())
        return await apply_retention(database, system_clock(), retention_days=365, dedupe_days=30)
    finally:
        await database.close()


async def left(dsn: str) -> dict[str, int]:
    """Events that were made old, by type."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT event_type, count(*) AS events FROM events WHERE event_type IN ('noise', 'kept') GROUP BY 1"
    )
    await connection.close()
    return {row["event_type"]: row["events"] for row in rows}


def measure(bench: Bench, rate: float, seconds: float) -> float:
    """The ratio of the percentiles."""
    quiet(bench, rate, 2)
    before = asyncio.run(left(bench.dsn))
    first = quiet(bench, rate, seconds)
    began = time.monotonic()
    with sending(bench, rate) as during:
        report = asyncio.run(remove(bench.dsn))
        took = time.monotonic() - began
    second = quiet(bench, rate, seconds)
    if report.blocked or asyncio.run(left(bench.dsn)) != {"kept": before["kept"]}:
        raise SystemExit(f"not exactly the old events are gone: {report}")
    ratio = during["p99_ms"] / mean((first["p99_ms"], second["p99_ms"]))
    line(
        "retention",
        f"{report.events:,} events removed in {took:.0f} s",
        f"{rate:g} requests/s of 10 events meanwhile",
    )
    for name, found in (("before", first), ("during", during), ("after", second)):
        line(
            "",
            f"{name}: {found['requests']:,.0f} requests, median {found['median_ms']:.1f} ms, p99 {found['p99_ms']:.1f}",
        )
    line("", f"p99: ratio {ratio:.2f} (wanted at most {WANTED})")
    return ratio


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thousands", type=int, default=1_000, help="of old events")
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    parser.add_argument("--seconds", type=float, default=40, help="of sending before and after")
    options = parser.parse_args()
    with running(
        ["serve", "--with-worker"], prepare=lambda url: asyncio.run(fill(url, options.thousands * 1000))
    ) as bench:
        measure(bench, options.rate, options.seconds)


if __name__ == "__main__":
    main()
