"""What became of events, counted."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Stats:
    """Counts since the client was made. `queued` = sent + rejected + dropped + what still waits."""

    queued: int = 0
    """Taken from the program. With a spool, what earlier or other processes left there is sent, too, and not in here."""
    sent: int = 0
    """Acknowledged by the server, duplicates included."""
    duplicates: int = 0
    """Of those: the server had them already, because an answer was lost or a process was killed."""
    rejected: int = 0
    """Refused by the server for good; the log says why."""
    dropped: int = 0
    """Oldest events that were given up because the queue or the spool was full."""
    invalid: int = 0
    """Never queued, because they cannot be an event."""
    retries: int = 0
    """Requests that have to be made again."""


class Counters:
    """The same, while it is counted; by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, number: int = 1) -> None:
        """Count a field of Stats."""
        with self._lock:
            self._counts[name] += number

    def read(self) -> Stats:
        """The counts now."""
        with self._lock:
            return Stats(**self._counts)

    def renew_locks(self) -> None:
        """After a fork: whoever held the lock is not in this process."""
        self._lock = threading.Lock()
