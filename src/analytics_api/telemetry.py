"""What the operator sees: log lines with the request's id and without secrets, and Prometheus metrics."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, TextIO

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that is being answered, in log lines and in `X-Request-ID`."""

# Logging -------------------------------------------------------------------------------------------------------------

_WITHHELD = (
    (re.compile(r"\b([wsra]k)_[A-Za-z0-9_-]{43}"), r"\1_***"),
    (re.compile(r"(?i)([?&](?:key|api_key|token|secret|password)=)[^&\s\"'<>]+"), r"\1***"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{16,}"), r"\1 ***"),
    (re.compile(r"(://[^\s:/@]+:)[^\s@/]+@"), r"\1***@"),
    # PostgreSQL and SQLAlchemy quote the row that failed: an event's payload.
    (re.compile(r"DETAIL:.*?(?=\nHINT:|\nCONTEXT:|\n\n|\Z)", re.DOTALL), "DETAIL: ***"),
    (re.compile(r"\[parameters: .*?\]$", re.MULTILINE | re.DOTALL), "[parameters: ***]"),
)

_QUIET = {
    # Every second a job, and every request to a provider with its address: of no use above DEBUG.
    "apscheduler": logging.ERROR,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "asyncio": logging.WARNING,
}


def withhold(text: str) -> str:
    """The text without API keys, passwords, tokens in queries, and rows quoted by the database."""
    for pattern, replacement in _WITHHELD:
        text = pattern.sub(replacement, text)
    return text


class LineFormatter(logging.Formatter):
    """One line for people: `12:00:01 INFO     ingest.writer: message [request id]`."""

    default_time_format = "%H:%M:%S"
    default_msec_format = ""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback follows on lines of its own."""
        name = record.name.removeprefix("analytics_api.")
        current = request_id.get()
        mark = f" [{current}]" if current else ""
        line = f"{self.formatTime(record)} {record.levelname:<8} {name}: {record.getMessage()}{mark}"
        trace = _trace(self, record)
        return withhold(f"{line}\n{trace}" if trace else line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (ISO 8601, UTC), level, logger, message, request_id?, exception?"""

    def format(self, record: logging.LogRecord) -> str:
        """The object as text."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": withhold(record.getMessage()),
        }
        current = request_id.get()
        if current:
            line["request_id"] = current
        trace = _trace(self, record)
        if trace:
            line["exception"] = withhold(trace)
        # Half a surrogate pair in a message must not cost the line.
        return orjson.dumps(
            {name: value.encode(errors="replace").decode() for name, value in line.items()}
        ).decode()


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def configure_logging(level: str = "INFO", *, stream: TextIO | None = None) -> None:
    """Send all log lines of `level` and above to `stream` (standard error): for people on a terminal, else JSON.

    Uvicorn must be started with `log_config=None`; its access log stays off, for it holds addresses and queries.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter() if stream.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.getLogger("uvicorn.access").disabled = True


class Occasionally:
    """Says yes at most once in `seconds`: for warnings about something that may happen a thousand times a second."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._next = 0.0

    def __call__(self) -> bool:
        """Whether it is time again."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


# Metrics -------------------------------------------------------------------------------------------------------------

registry = CollectorRegistry()
"""All metrics of this process; `render` writes them out. Several processes are scraped one by one."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MOST_REASONS = 50

_events = Counter(
    "analytics_events",
    "Events by what became of them: accepted, duplicate, rejected (with the reason), ignored.",
    ("outcome", "reason"),
    registry=registry,
)
write_group_events = Histogram(
    "analytics_write_group_events",
    "Events written in one transaction.",
    buckets=(1, 10, 100, 500, 1000, 2500, 5000, 10_000),
    registry=registry,
)
write_group_seconds = Histogram(
    "analytics_write_group_seconds",
    "Time that one transaction of events took.",
    buckets=_SECONDS,
    registry=registry,
)
intake_queue_bytes = Gauge(
    "analytics_intake_queue_bytes", "Bytes of events that wait to be written.", registry=registry
)
open_connections = Gauge("analytics_open_connections", "Connections of clients.", registry=registry)
running_tasks = Gauge(
    "analytics_tasks",
    "Tasks of the event loop: requests that are being answered, and background work.",
    registry=registry,
)
_reader_lag = Gauge(
    "analytics_reader_lag",
    "Sequence numbers between a reader's position and the end of the log that is safe to read.",
    ("project", "reader"),
    registry=registry,
)
_set_aside = Counter(
    "analytics_events_set_aside",
    "Events that could not be counted into the figures. They stay in the log.",
    ("project",),
    registry=registry,
)
_deliveries = Counter(
    "analytics_deliveries",
    "Events handed to a destination, by outcome: delivered, skipped, parked, dead, unknown.",
    ("destination", "outcome"),
    registry=registry,
)
_job_seconds = Histogram(
    "analytics_job_seconds",
    "Runs of periodic jobs and how long they took; outcome is ok or failed.",
    ("job", "outcome"),
    buckets=(0.01, 0.1, 1.0, 10.0, 60.0, 600.0),
    registry=registry,
)
_request_seconds = Histogram(
    "analytics_http_request_seconds",
    "HTTP requests by route template.",
    ("method", "route", "status"),
    buckets=_SECONDS,
    registry=registry,
)
_webhooks = Counter(
    "analytics_webhooks",
    "Webhooks taken from a provider, by type and what became of them: accepted, duplicate, ignored, quarantined, rejected, "
    "refused (not what the provider documents).",
    ("provider", "type", "outcome"),
    registry=registry,
)
untracked_requests = Counter(
    "analytics_untracked_requests",
    "API requests that left no api_request event and no count, because the queue was full.",
    registry=registry,
)
ProcessCollector(namespace="analytics", registry=registry)

_reasons: set[str] = set()


@cache
def _event_counter(outcome: str, reason: str) -> Counter:
    # Looking a child up by its labels takes 4 µs, on a path that has 50.
    return _events.labels(outcome, reason)


@lru_cache(4096)
def _request_histogram(method: str, route: str, status: int) -> Histogram:
    return _request_seconds.labels(method, route, str(status))


def count_events(outcome: str, number: int = 1, *, reason: str = "") -> None:
    """Count events by outcome. `reason` is a word or short phrase of a closed set; past 50 of them it is `other`."""
    if reason and reason not in _reasons:
        if len(_reasons) >= _MOST_REASONS:
            reason = "other"
        else:
            _reasons.add(reason)
    _event_counter(outcome, reason).inc(number)


def count_set_aside(project: str) -> None:
    """One event could not be counted."""
    _set_aside.labels(project).inc()


def count_webhook(provider: str, kind: str, outcome: str) -> None:
    """One webhook that was believed. `kind` is one of a known list, or `other`."""
    _webhooks.labels(provider, kind, outcome).inc()


def set_reader_lag(project: str, reader: str, lag: int) -> None:
    """How many sequence numbers a reader of a project is behind."""
    _reader_lag.labels(project, reader).set(lag)


def count_deliveries(destination: str, outcome: str, number: int = 1) -> None:
    """Count events that a destination was handed, by outcome."""
    _deliveries.labels(destination, outcome).inc(number)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Note an HTTP request. `method` and `route` must come from closed sets."""
    _request_histogram(method, route, status).observe(seconds)


@contextmanager
def job_run(name: str) -> Iterator[None]:
    """Note a run of a periodic job; an exception counts as failed and goes on."""
    began = time.perf_counter()
    outcome = "failed"
    try:
        yield
        outcome = "ok"
    finally:
        _job_seconds.labels(name, outcome).observe(time.perf_counter() - began)


def render() -> bytes:
    """All metrics in Prometheus's text format (see CONTENT_TYPE)."""
    return generate_latest(registry)
