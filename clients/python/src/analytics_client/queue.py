"""Where events wait to be sent: a port, and the one that keeps them in memory."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from analytics_client.stats import Counters

MOST_BYTES = 1_000_000
"""Of events in one batch."""


@dataclass
class Batch:
    """Events that are being sent. `lines` holds those that are not settled yet."""

    lines: list[bytes] = field(default_factory=list)


class Queue(Protocol):
    """Holds events, oldest first, in bounds: when it is full the oldest go, and are counted as `dropped`."""

    def put(self, *lines: bytes) -> int:
        """Add events. Returns about how many wait."""

    def take(self, most: int) -> Batch | None:
        """About that many of the oldest events, for one sender at a time; None when nothing waits."""

    def give_back(self, batch: Batch) -> None:
        """Put back what of a batch is not settled."""

    def settle(self, batch: Batch) -> None:
        """Forget a batch: all of it is settled."""

    def renew_after_fork(self) -> None:
        """In a child process: what waits belongs to the parent."""

    def clear(self) -> None:
        """Forget everything."""


class MemoryQueue:
    """A bounded deque."""

    def __init__(self, most_events: int, counters: Counters) -> None:
        self._most = most_events
        self._counters = counters
        self._lock = threading.Lock()
        self._lines: deque[bytes] = deque()

    def put(self, *lines: bytes) -> int:
        """Add events; the oldest go when there is no room."""
        with self._lock:
            self._lines.extend(lines)
            waiting = len(self._lines)
            if waiting <= self._most:
                return waiting
            for _ in range(waiting - self._most):
                self._lines.popleft()
        self._counters.add("dropped", waiting - self._most)
        return self._most

    def take(self, most: int) -> Batch | None:
        """Up to that many, and up to MOST_BYTES, of the oldest."""
        batch = Batch()
        size = 0
        with self._lock:
            while self._lines and len(batch.lines) < most:
                size += len(self._lines[0])
                if batch.lines and size > MOST_BYTES:
                    break
                batch.lines.append(self._lines.popleft())
        return batch if batch.lines else None

    def give_back(self, batch: Batch) -> None:
        """In front of the others; the oldest go where there is no room."""
        with self._lock:
            room = max(0, self._most - len(self._lines))
            dropped = max(0, len(batch.lines) - room)
            self._lines.extendleft(reversed(batch.lines[dropped:]))
        if dropped:
            self._counters.add("dropped", dropped)

    def settle(self, batch: Batch) -> None:
        """Nothing to do: it was taken out."""

    def renew_after_fork(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._lines = deque()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._lines.clear()
