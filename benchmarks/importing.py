"""Import of a CSV file by the real command, and a bare binary COPY of the same rows."""

from __future__ import annotations

import asyncio
import csv
import os
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from analytics_api.store.embedded import EmbeddedServer
from benchmarks.bare import copy_rate, count
from benchmarks.realistic import make_event

HEADER = ("event_id", "user_id", "event", "ts", "revenue", "currency", "props")
PER_TRANSACTION = 10_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Rows per second."""

    imported: float
    copied: float


def write_csv(path: Path, rows: int) -> None:
    """A file of realistic events, about 230 bytes a row."""
    dice = random.Random(3)
    now = datetime.now(UTC)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for _ in range(rows):
            event = make_event(dice, now)
            props = orjson.dumps(event["event_data"]).decode()
            person = event.get("user_id", event["anonymous_id"])
            writer.writerow(
                (event["event_id"], person, event["event_type"], event["timestamp"], "", "", props)
            )


def run_import(url: str, path: Path) -> float:
    """Rows per second as `analytics-api import` prints them: from the first line read to the last one committed."""
    done = subprocess.run(
        [sys.executable, "-m", "analytics_api", "import", str(path), "--project", "bench"],
        env={**os.environ, "ANALYTICS__DATABASE_URL": url},
        cwd=path.parent,
        capture_output=True,
        text=True,
    )
    found = re.search(r"\(([\d]+) lines/s\)", done.stdout)
    if done.returncode or found is None:
        raise RuntimeError(f"the import failed or printed no speed: {done.stdout}{done.stderr}")
    return float(found[1])


async def _copied(dsn: str, rows: int) -> float:
    stored = await count(dsn)
    if stored != rows:
        raise RuntimeError(f"{stored} rows are stored, {rows} were in the file")
    return await copy_rate(dsn, rows, PER_TRANSACTION)


def measure(rows: int) -> Rates:
    """Import a file of so many rows into an embedded server of its own (fsync on), count them, copy them again."""
    with tempfile.TemporaryDirectory(prefix="analytics-bench-") as folder:
        path = Path(folder) / "events.csv"
        write_csv(path, rows)
        server = EmbeddedServer(Path(folder) / "data")
        url = server.start()
        try:
            imported = run_import(url, path)
            copied = asyncio.run(_copied(url.replace("+asyncpg", ""), rows))
        finally:
            server.stop()
    return Rates(imported, copied)
