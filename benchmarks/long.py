"""`make bench-full`: intake over minutes with all readers at work, and its cost while the log grows to millions of events."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import psutil

from benchmarks import bare, realistic
from benchmarks.__main__ import BATCH, EVENTS, Bench, line, running

CONNECTIONS = 4
ROUND = 100_000
"""Events over which a cost is taken."""
ROUNDS = 10


@dataclass(slots=True)
class Cpu:
    """Seconds of processor used so far."""

    server: float
    postgres: float

    @classmethod
    def now(cls, bench: Bench) -> Cpu:
        """Of the web process, and of all processes of its database, those that have ended included."""
        times = bench.server.cpu_times()
        first = psutil.Process(
            int((bench.folder / ".data" / "postgres" / "postmaster.pid").read_text().split()[0])
        )
        used = 0.0
        for process in [first, *first.children()]:
            try:
                own = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used += own.user + own.system + own.children_user + own.children_system
        return cls(times.user + times.system, used)


def stream(bench: Bench, events: int, rate: float) -> float:
    """Send so many events; the seconds it took. Every batch must be answered with 202."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.stream", str(bench.port), EVENTS, bench.key, str(events), str(rate), str(CONNECTIONS)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )  # fmt: skip
    figures = json.loads(done.stdout)
    if figures["statuses"] != {"202": events // BATCH}:
        raise SystemExit(f"not every batch was answered with 202: {figures['statuses']}")
    return float(figures["seconds"])


def sustain(minutes: float, share: float) -> None:
    """A quarter of COPY's speed, with rollups and sandbox: rate, lag of the rollups and memory, minute by minute."""
    with running(["serve", "--with-worker"]) as bench:
        bench.send(realistic.batches(80, BATCH, seed=1), CONNECTIONS)
        copied = asyncio.run(bare.copy_rate(bench.dsn, 80 * BATCH, BATCH))
        rate = copied * share
        events = int(rate * minutes * 60) // BATCH * BATCH
        before = bench.stored()
        took: list[float] = []
        sender = threading.Thread(target=lambda: took.append(stream(bench, events, rate)))
        began, cpu = time.monotonic(), Cpu.now(bench)
        sender.start()
        memories, told = [], 0
        while sender.is_alive():
            time.sleep(1)
            memories.append(bench.server.memory_info().rss / 2**20)
            if (passed := int(time.monotonic() - began) // 60) > told:
                told = passed
                print(f"  after {told} min: rollups {asyncio.run(bare.lag_seconds(bench.dsn, 'rollups')):.1f} s behind, "
                      f"web process {memories[-1]:.0f} MB, load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
        lag, used = asyncio.run(bare.lag_seconds(bench.dsn, "rollups")), Cpu.now(bench)
        if bench.stored() - before != events:
            raise SystemExit("an acknowledged event is missing")
        per_event = 1e6 / events
        line("sustained", f"{minutes:g} min at {events / took[0]:,.0f} events/s", f"ratio to COPY {events / took[0] / copied:.2f} (wanted 0.25)",
             f"rollups {lag:.1f} s behind at the end (wanted below 60)")  # fmt: skip
        line("", f"web process {(used.server - cpu.server) * per_event:.0f} µs an event, PostgreSQL {(used.postgres - cpu.postgres) * per_event:.0f}",
             f"memory {min(memories[len(memories) // 4:]):.0f} to {max(memories):.0f} MB (wanted below 250)")  # fmt: skip


def cost(bench: Bench, events: int) -> tuple[float, float]:
    """Microseconds of all processors an event, of the web process and of PostgreSQL, until all is counted."""
    bench.settle()
    began = Cpu.now(bench)
    stream(bench, events, 0)
    bench.settle()
    ended = Cpu.now(bench)
    return (ended.server - began.server) / events * 1e6, (ended.postgres - began.postgres) / events * 1e6


def grow(millions: int) -> None:
    """Cost per event with so many millions of stored events against that with one, in turn: the machine's speed changes by more."""
    command = ["serve", "--with-worker"]
    half = ROUNDS * ROUND // 2
    with running(command) as small, running(command) as large:
        stream(small, 1_000_000 - half, 0)
        for million in range(1, millions):
            stream(large, 1_000_000, 0)
            print(f"  {million} million are stored", flush=True)
        stream(large, 1_000_000 - half, 0)
        pairs = [(cost(small, ROUND), cost(large, ROUND)) for _ in range(ROUNDS)]
        for few, all_of in pairs:
            print(
                f"  {sum(few):.1f} ({few[0]:.1f} + PostgreSQL {few[1]:.1f}) and {sum(all_of):.1f} ({all_of[0]:.1f} + {all_of[1]:.1f})"
            )
        if small.stored() != 1_000_000 + half or large.stored() != millions * 1_000_000 + half:
            raise SystemExit("an acknowledged event is missing")
        # Of all rounds together: a checkpoint falls into some of them, on either side.
        one, many = (sum(map(sum, each)) / ROUNDS for each in zip(*pairs, strict=True))
        line(f"at {millions} million", f"{many:.1f} µs of processor an event, rollups included",
             f"at 1 million {one:.1f}", f"ratio {many / one:.2f} (wanted at most 1.15)")  # fmt: skip


def main() -> None:
    """Run what takes minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--share", type=float, default=0.25, help="of the speed of COPY")
    parser.add_argument("--millions", type=int, default=20)
    options = parser.parse_args()
    if options.minutes:
        sustain(options.minutes, options.share)
    if options.millions:
        grow(options.millions)


if __name__ == "__main__":
    main()
