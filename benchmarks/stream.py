"""A sender for hours: batches made from a few templates, each event with an id and a time of its own, at a given rate.

Run as a process of its own: `python -m benchmarks.stream PORT PATH KEY EVENTS RATE CONNECTIONS`; RATE 0 is as fast as
answered. Prints one JSON line: seconds, events, statuses, CPU seconds of this process.
"""

from __future__ import annotations

import json
import random
import resource
import selectors
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson

from benchmarks.realistic import make_event
from benchmarks.sender import Connection, render

BATCH = 500
TEMPLATES = 40
"""20,000 different events; made ones differ in id and time."""
_NUMBER = b"00c0ffee"
_TIME = b"2001-02-03T04:05:06.789Z"


def templates() -> list[bytes]:
    """Bodies whose ids begin with the same eight digits and whose times are the same."""
    dice = random.Random(5)
    now = datetime.now(UTC)
    bodies = []
    for _ in range(TEMPLATES):
        events = [make_event(dice, now) for _ in range(BATCH)]
        for event in events:
            event["event_id"] = _NUMBER.decode() + event["event_id"][8:]
            event["timestamp"] = _TIME.decode()
        bodies.append(orjson.dumps(events))
    return bodies


def bodies(count: int) -> Iterator[bytes]:
    """So many bodies, no two events of which have the same id."""
    made = templates()
    start = random.getrandbits(30)
    for number in range(count):
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield (
            made[number % TEMPLATES]
            .replace(_NUMBER, b"%08x" % ((start + number) & 0xFFFF_FFFF))
            .replace(_TIME, now.encode())
        )


def run(port: int, path: str, key: str, events: int, rate: float, connections: int) -> dict[str, object]:
    """Send; a batch never goes out before its time, and at most one is in flight on a connection."""
    selector = selectors.DefaultSelector()
    # In turn, so that none is idle for as long as the server keeps it.
    idle: deque[Connection] = deque()
    for _ in range(connections):
        connection = Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        idle.append(connection)
    statuses: Counter[int] = Counter()
    pending = bodies(events // BATCH)
    body = next(pending, None)
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    sent = 0
    while body is not None or len(idle) < connections:
        due = began + sent * BATCH / rate if rate else began
        if body is not None and idle and time.perf_counter() >= due:
            idle.popleft().send(render(path, key, body))
            body = next(pending, None)
            sent += 1
            continue
        wait = max(due - time.perf_counter(), 0) if body is not None and idle else None
        for ready, _ in selector.select(wait):
            status = ready.data.receive()
            if status is not None:
                statuses[status] += 1
                idle.append(ready.data)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": time.perf_counter() - began,
        "events": sent * BATCH,
        "statuses": dict(statuses),
        "cpu_seconds": used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime,
    }


if __name__ == "__main__":
    port_, path_, key_, events_, rate_, connections_ = sys.argv[1:]
    print(json.dumps(run(int(port_), path_, key_, int(events_), float(rate_), int(connections_))))
