"""What both clients share, without any waiting: taking events, and one round of sending as a generator of requests."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import random
import time
import weakref
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Optional

from analytics_client.events import InvalidEvent, encode
from analytics_client.options import Options
from analytics_client.queue import MemoryQueue, Queue
from analytics_client.spool import Spool
from analytics_client.stats import Counters
from analytics_client.version import __version__

logger = logging.getLogger("analytics_client")

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds between attempts: full jitter below 1, 2, 4, ... 60."""
WAIT_FOR_PEOPLE = 300.0
"""Seconds, after an answer that only a person can change: a wrong key or address."""
LONGEST_RETRY_AFTER = 3600.0
_COMPRESSED_FROM = 1_000
"""Bytes; less is not worth it."""
_LOG_EVERY = 60.0
_COLLECTED = 100


@dataclass(frozen=True)
class Request:
    """A POST to be made."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What came back. Status 0: nothing did, and `text` says why."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


Round = Generator[Request, Answer, Optional[float]]
"""Yields requests, is sent their answers; returns None when nothing waits any more, else seconds until the next round."""


class Core:
    """Events in, requests out."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.counters = Counters()
        self._may_log: dict[str, float] = {}
        self._failures = 0
        self._collected: list[bytes] = []
        self._told_dropped = 0
        self._enabled = options.enabled
        self.queue = self._make_queue()
        if options.enabled and not options.sandbox and options.url is None:
            self._enabled = False
            logger.warning("no events are sent: set ANALYTICS_URL, or give url, to the address of the server")
        _cores.add(self)

    @property
    def enabled(self) -> bool:
        """Whether events are taken at all."""
        return self._enabled

    def disable(self) -> None:
        """Take no more events, and forget those that are not sent yet."""
        self._enabled = False
        self._collected = []
        self.queue.clear()

    def offer(self, event: dict[str, Any]) -> int | None:
        """Take an event. Returns about how many wait now; None when it was not taken. Raises nothing."""
        if not self._enabled:
            return None
        try:
            return self.offer_json(encode(event, keep_pii=self.options.keep_pii))
        except InvalidEvent as error:
            self.log("invalid", "event %r is not sent: %s", event.get("event_type"), error)
        except Exception as error:
            self.log("failed", "an event could not be taken: %s: %s", type(error).__name__, error)
        self.counters.add("invalid")
        return None

    def offer_json(self, *lines: bytes) -> int | None:
        """Take events that are JSON already."""
        if not self._enabled:
            return None
        if self.options.sandbox:
            for line in lines:
                logger.info("sandbox: %s", line.decode())
            return 0
        waiting = self.queue.put(*lines)
        self.counters.add("queued", len(lines))
        return waiting

    def collect(self, line: bytes) -> int | None:
        """Take an event that may be lost when the process is killed in the next moment: writing many at once costs less."""
        self._collected.append(line)
        return 0 if len(self._collected) < _COLLECTED else self.put_collected()

    def put_collected(self) -> int | None:
        """Queue what was collected."""
        if not self._collected:
            return 0
        lines, self._collected = self._collected, []
        return self.offer_json(*lines)

    def deliver(self) -> Round:
        """Send what waits."""
        self.put_collected()
        self._tell_dropped()
        while self._enabled and (batch := self.queue.take(self.options.batch_size)) is not None:
            try:
                wait = yield from self._send(batch.lines)
            except BaseException:
                self.queue.give_back(batch)
                raise
            if wait is not None:
                self.counters.add("retries")
                self.queue.give_back(batch)
                return wait
            self.queue.settle(batch)
        return None

    def _tell_dropped(self) -> None:
        dropped = self.counters.read().dropped
        if dropped > self._told_dropped:
            self._told_dropped = dropped
            self.log("dropped", "%s events were given up, the oldest: there was no room for more", dropped)

    def log(self, kind: str, message: str, *arguments: object) -> None:
        """A warning, at most one of its kind a minute."""
        now = time.monotonic()
        if now >= self._may_log.get(kind, 0.0):
            self._may_log[kind] = now + _LOG_EVERY
            logger.warning(message, *arguments)

    def renew_after_fork(self) -> None:
        """In a child process: new locks, and what waits is left to the parent."""
        self.counters.renew_locks()
        self._collected = []
        self.queue.renew_after_fork()

    def _make_queue(self) -> Queue:
        memory = MemoryQueue(self.options.max_queue, self.counters)
        if (
            self.options.spool is None
            or not self._enabled
            or self.options.sandbox
            or self.options.url is None
        ):
            return memory
        try:
            return Spool(self.options.spool, self.options.spool_bytes, memory, self.counters)
        except OSError as error:
            logger.warning(
                "events are kept in memory only until they are sent, for there is no spool: %s", error
            )
            return memory

    def _send(self, lines: list[bytes]) -> Generator[Request, Answer, float | None]:
        """Send lines until none is left (None), or one must wait: seconds. Takes settled ones out of the list."""
        size = self.options.batch_size
        while lines:
            part = lines[:size]
            answer = yield self._request(part)
            if answer.status == 202 and self._count(answer, part):
                self._failures = 0
            elif answer.status in (400, 413, 422):
                if len(part) > 1:
                    size = len(part) // 2
                    continue
                self.counters.add("rejected")
                self.log(
                    "rejected", "the server refused an event: HTTP %s %s", answer.status, answer.text[:300]
                )
            else:
                return self._wait(answer)
            del lines[: len(part)]
            size = min(self.options.batch_size, size * 2)
        return None

    def _request(self, lines: list[bytes]) -> Request:
        sent_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        body = b'{"sent_at":"%s","events":[%s]}' % (sent_at.encode(), b",".join(lines))
        headers = {"Content-Type": "application/json", "User-Agent": f"analytics-api-client/{__version__}"}
        if self.options.key is not None:
            headers["Authorization"] = f"Bearer {self.options.key}"
        if len(body) >= _COMPRESSED_FROM:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        return Request(self.options.url or "", headers, body)

    def _count(self, answer: Answer, lines: list[bytes]) -> bool:
        """Count the results; False when this is no answer of the server, but, say, of a Wi-Fi's login page."""
        try:
            found = json.loads(answer.text)
            rejected, duplicates = int(found["rejected"]), int(found["duplicates"])
            reasons = [result["reason"] for result in found["results"] if result["status"] == "rejected"]
        except (ValueError, KeyError, TypeError):
            return False
        self.counters.add("sent", len(lines) - rejected)
        self.counters.add("duplicates", duplicates)
        if rejected:
            self.counters.add("rejected", rejected)
            self.log("rejected", "the server refused %s of %s events: %s", rejected, len(lines), reasons[:3])
        return True

    def _wait(self, answer: Answer) -> float:
        self._failures += 1
        said = f"HTTP {answer.status} {answer.text[:300]}" if answer.status else answer.text
        self.log("away", "events could not be sent, they are kept and sent again: %s", said)
        ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._failures - 1, 30))
        wait = ceiling * (0.1 + 0.9 * random.random())  # noqa: S311 (not for secrets)
        if answer.status in (401, 403, 404, 405) or 300 <= answer.status < 400:
            return WAIT_FOR_PEOPLE if self._failures > 3 else wait
        return max(wait, _retry_after(answer.headers))


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks for, as a number or a date (RFC 9110, section 10.2.3); 0 when it does not."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(float(text), LONGEST_RETRY_AFTER)
    with contextlib.suppress(ValueError, TypeError):
        seconds = (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds()
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
    return 0.0


_cores: weakref.WeakSet[Core] = weakref.WeakSet()


def _renew() -> None:
    for core in list(_cores):
        core.renew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
