"""A sender that keeps a rate: a request's time is taken from when it was due, so that waiting for a free connection counts.

Run as a process of its own: `python -m benchmarks.paced PORT PATH KEY RATE CONNECTIONS`; ends when its input does. Prints one JSON
line: requests, statuses and the latencies' percentiles.
"""

from __future__ import annotations

import json
import re
import selectors
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from itertools import count

from benchmarks.realistic import batches
from benchmarks.sender import Connection, render

BATCH = 10
MADE = 500
"""Bodies that are made ahead; sent ones differ in their ids."""
_ID = re.compile(rb'"event_id":"')


def bodies() -> Iterator[bytes]:
    """Bodies without end, no two events of which have the same id: it is made of the time and a number."""
    made = batches(MADE, BATCH, seed=7)
    start = time.time_ns()
    for number in count():
        body = made[number % MADE]
        yield _ID.sub(b'"event_id":"%x-' % (start + number), body)


def run(port: int, path: str, key: str, rate: float, connections: int) -> dict[str, object]:
    """Send until the input ends."""
    waiting = bodies()
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    idle: deque[Connection] = deque()
    for _ in range(connections):
        connection = Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        idle.append(connection)
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    due_of: dict[Connection, float] = {}
    numbers = count()
    began = time.perf_counter()
    number, ended = next(numbers), False
    while not ended or len(idle) < connections:
        due = began + number / rate
        if not ended and idle and time.perf_counter() >= due:
            connection = idle.popleft()
            due_of[connection] = due
            connection.send(render(path, key, next(waiting)))
            number = next(numbers)
            continue
        for ready, _ in selector.select(max(due - time.perf_counter(), 0) if idle and not ended else None):
            if ready.data is None:
                ended = True
                selector.unregister(sys.stdin)
                continue
            status = ready.data.receive()
            if status is not None:
                statuses[status] += 1
                latencies.append(time.perf_counter() - due_of[ready.data])
                idle.append(ready.data)
    latencies.sort()
    return {
        "requests": len(latencies),
        "statuses": dict(statuses),
        "median_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
    }


if __name__ == "__main__":
    port_, path_, key_, rate_, connections_ = sys.argv[1:]
    print(json.dumps(run(int(port_), path_, key_, float(rate_), int(connections_))))
