"""`make bench`: what intake and delivery do, as ratios against the bare limits of this machine, measured in the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil
from sqlalchemy import make_url

from analytics_api.store.embedded import EmbeddedServer
from analytics_api.store.migrate import upgrade
from benchmarks import bare, delivery, middleware, realistic, sizes
from benchmarks.importing import measure

EVENTS = "/api/v1/analytics/events"
BATCH = 500
OTHERS = """others, on such a machine:  GoatCounter 22,000 events/s in batches and 1,700 single (loses what it acknowledged at
                            kill -9), Matomo 588 and 92, Umami 189 and 107, Shynet 126"""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run of the sender measured."""

    requests_per_second: float
    median_ms: float
    client_share: float
    """Of one processor."""


@dataclass(slots=True)
class Bench:
    """A running server with its database, and a place for files."""

    folder: Path
    port: int
    key: str
    dsn: str
    server: psutil.Process

    def send(
        self, bodies: list[bytes], connections: int, *, port: int | None = None, path: str = EVENTS
    ) -> Sent:
        """Send bodies from a process of its own; every answer must be a 202."""
        file = self.folder / "bodies"
        file.write_bytes(pickle.dumps(bodies))
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "benchmarks.sender",
                str(port or self.port),
                path,
                self.key,
                str(file),
                str(connections),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        figures = json.loads(done.stdout)
        if figures["statuses"] != {"202": len(bodies)}:
            raise SystemExit(f"not every request was answered with 202: {figures['statuses']}")
        seconds = figures["seconds"]
        return Sent(len(bodies) / seconds, figures["median_ms"], figures["cpu_seconds"] / seconds)

    def stored(self) -> int:
        """Events in the log, counted."""
        return asyncio.run(bare.count(self.dsn))

    def settle(self) -> None:
        """Wait until every event is counted: what is measured next has the machine for itself."""
        while asyncio.run(bare.lag_seconds(self.dsn, "rollups")):
            time.sleep(0.2)


@contextmanager
def running(
    arguments: list[str], *, prepare: Callable[[str], None] | None = None, kept: Path | None = None
) -> Iterator[Bench]:
    """A server process on an embedded database in a folder of its own, or in one that is `kept` for the next time.

    `prepare` gets the URL of the migrated database.
    """
    place = tempfile.TemporaryDirectory(prefix="analytics-bench-") if kept is None else nullcontext(kept)
    with place as name:
        folder = Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        port = bare.free_port()
        env = {**os.environ, "ANALYTICS__PORT": str(port), "ANALYTICS__LOG_LEVEL": "WARNING"}
        database = EmbeddedServer(folder / ".data")
        url = database.start()
        dsn = make_url(url).set(drivername="postgresql").render_as_string()
        if prepare is not None:
            upgrade(url)
            prepare(url)
        command = [sys.executable, "-m", "analytics_api"]
        process = subprocess.Popen([*command, *arguments], cwd=folder, env=env)
        try:
            _wait(port)
            made = subprocess.run(
                [*command, "keys", "create", "--kind", "server"],
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                check=True,
            )
            yield Bench(folder, port, made.stdout.splitlines()[-1], dsn, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()
            database.stop()


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


@contextmanager
def bare_route() -> Iterator[int]:
    """The bare FastAPI route in a process of its own."""
    port = bare.free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare", str(port)])
    try:
        for _ in range(100):
            try:
                httpx.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def line(name: str, *figures: str) -> None:
    """One row of the report."""
    print(f"{name:28}" + "  ".join(figures), flush=True)


def compare_batches(bench: Bench, rounds: int, batches: int) -> None:
    """Stored events per second in batches of 500, and a COPY of the same rows, in turn."""
    ours, copies, shares = [], [], []
    for number in range(rounds):
        before = bench.stored()
        sent = bench.send(realistic.batches(batches, BATCH, seed=10 + number), 8)
        new = bench.stored() - before
        if new != batches * BATCH:
            raise SystemExit(f"{batches * BATCH} events were acknowledged and {new} are stored")
        ours.append(sent.requests_per_second * BATCH)
        shares.append(sent.client_share)
        bench.settle()
        copies.append(asyncio.run(bare.copy_rate(bench.dsn, batches * BATCH, BATCH)))
    ratio = median(mine / copy for mine, copy in zip(ours, copies, strict=True))
    line("batches of 500", f"{median(ours):,.0f} events/s", f"COPY {median(copies):,.0f}", f"ratio {ratio:.2f} (wanted 0.50)",
         f"client {median(shares):.0%} of a core")  # fmt: skip


def compare_singles(bench: Bench, rounds: int, requests: int) -> None:
    """Single events over 64 connections against a FastAPI route that stores nothing, in turn; then one at a time."""
    with bare_route() as port:
        ours, routes, shares = [], [], []
        for number in range(rounds):
            before = bench.stored()
            sent = bench.send(realistic.singles(requests, seed=20 + number), 64)
            if bench.stored() - before != requests:
                raise SystemExit("an acknowledged event is missing")
            ours.append(sent.requests_per_second)
            shares.append(sent.client_share)
            bench.settle()
            routes.append(
                bench.send(
                    realistic.singles(requests, seed=20), 64, port=port, path="/events"
                ).requests_per_second
            )
        ratio = median(mine / route for mine, route in zip(ours, routes, strict=True))
        line("single, 64 connections", f"{median(ours):,.0f} requests/s", f"bare route {median(routes):,.0f}",
             f"ratio {ratio:.2f} (wanted 1.20)", f"client {median(shares):.0%} of a core")  # fmt: skip
        bench.settle()
        idle = bench.send(realistic.singles(300, seed=40), 1).median_ms
        route = bench.send(realistic.singles(300, seed=41), 1, port=port, path="/events").median_ms
        commit = asyncio.run(bare.commit_seconds(bench.dsn)) * 1000
        line("single, idle server", f"median {idle:.2f} ms", f"bare route {route:.2f} + 5 commits of {commit:.2f}",
             f"ratio {idle / (route + 5 * commit):.2f} (wanted at most 1.00)")  # fmt: skip


def compare_import(rows: int) -> None:
    """The import command, and a COPY of the same rows."""
    rates = measure(rows)
    line("CSV import", f"{rates.imported:,.0f} rows/s (wanted 25,000)", f"COPY {rates.copied:,.0f}",
         f"ratio {rates.imported / rates.copied:.2f}")  # fmt: skip


def compare_delivery(rounds: int, events: int) -> None:
    """To an instant provider: from the log through our readers, and by the official packages from memory."""
    with delivery.prepared(events) as bench:
        for kind, package, wanted in (
            ("amplitude", "amplitude-analytics", 1.5),
            ("mixpanel", "BufferedConsumer", 1.3),
        ):
            found = delivery.compare(bench, kind, rounds)
            ours, official = found.ours, found.official
            line(f"delivery to {kind}", f"{ours.rate:,.0f} events/s", f"{package} {official.rate:,.0f}",
                 f"ratio {found.rate_ratio:.2f} (wanted {wanted:.2f})",
                 f"CPU {ours.cpu:.0f} + {ours.database:.0f} µs in PostgreSQL against {official.cpu:.0f},",
                 f"ratio {found.cpu_ratio:.2f} (wanted below 1.00)")  # fmt: skip
        line(
            "delivery beside one that hangs",
            f"ratio {delivery.hanging_share(bench, rounds):.2f} (wanted 0.95)",
        )


def main() -> None:
    """Run the benchmarks and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=80)
    parser.add_argument("--requests", type=int, default=8000)
    parser.add_argument("--rows", type=int, default=200_000, help="lines of the imported file")
    parser.add_argument("--deliveries", type=int, default=60_000, help="events that are delivered")
    parser.add_argument(
        "--without-worker", action="store_true", help="the web process alone, readers elsewhere"
    )
    options = parser.parse_args()
    arguments: list[Any] = ["serve"] if options.without_worker else ["serve", "--with-worker"]
    print(
        f"load of the machine before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors; medians of {options.rounds} rounds"
    )
    with running(arguments) as bench:
        bench.send(realistic.batches(20, BATCH, seed=1), 4)
        compare_batches(bench, options.rounds, options.batches)
        compare_singles(bench, options.rounds, options.requests)
        memory = bench.server.memory_info().rss / 2**20
        line("memory of the web process", f"{memory:.0f} MB (wanted below 250)")
    compare_import(options.rows)
    compare_delivery(options.rounds, options.deliveries)
    line("request with a middleware", middleware.report(options.rounds, options.requests // 4))
    print(OTHERS)
    print("browser clients, minified:")
    for measured in sizes.measure():
        print(measured)


if __name__ == "__main__":
    main()
