"""What both middlewares note of a request, and how it becomes an event."""

from __future__ import annotations

import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from analytics_client.tracking import Tracking

logger = logging.getLogger("analytics_client")

EXCLUDED = (
    "/health",
    "/metrics",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/static",
    "/assets",
    "/favicon.ico",
    "/robots.txt",
)
"""Paths that are not noted, with all that lies below them."""
UNMATCHED = "(unmatched)"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "QUERY", "TRACE", "CONNECT"})
OTHER_METHOD = "(other)"
CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that hung up before it was answered."""
UNPROCESSABLE = 422
MOST_DETAIL_BYTES = 65_536
_MOST_ERRORS = 10
_MOST_ROUTES = 2_000
"""Distinct counts held at once when they are summed up."""
_IDS = ("user_id", "anonymous_id", "session_id")


class Tracker(Protocol):
    """What events are handed to: a client, its test double, or anything in this process with this method."""

    @property
    def track(self) -> Callable[..., Any]:
        """As Tracking.track; waits for nothing."""


@dataclass
class _Count:
    requests: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0


class RequestNotes:
    """Makes events of requests: one each (`api_request`), or one for each route and status in a time (`api_requests`)."""

    def __init__(
        self, client: Tracker, exclude: Sequence[str], sample: float, aggregate_seconds: float | None
    ) -> None:
        """Raises ValueError for what cannot be meant."""
        if not 0 < sample <= 1:
            raise ValueError(
                f"sample is {sample!r}: give the share of requests to note, above 0 and at most 1"
            )
        if aggregate_seconds is not None and aggregate_seconds <= 0:
            raise ValueError(f"aggregate_seconds is {aggregate_seconds!r}: give seconds above 0, or None")
        self._track = client.track
        self._plain = client._track_request if isinstance(client, Tracking) and sample == 1 else None
        self._excluded = frozenset(path.rstrip("/") for path in exclude)
        self._excluded_below = tuple(f"{path}/" for path in self._excluded)
        self._sample = sample
        self._every = aggregate_seconds
        self._counts: dict[tuple[str, str, int], _Count] = {}
        self._since = time.monotonic()
        self._lock = threading.Lock()

    def wants(self, method: str, path: str) -> bool:
        """Whether a request is to be noted."""
        return (
            method != "OPTIONS"
            and path not in self._excluded
            and not path.startswith(self._excluded_below)
            and (self._sample == 1 or random.random() < self._sample)  # noqa: S311 (not for secrets)
        )

    def note(
        self,
        method: str,
        route: str,
        status: int,
        seconds: float,
        extra: dict[str, Any] | None = None,
        said: Mapping[str, Any] | None = None,
    ) -> None:
        """A request is over. `extra`: what else is known of it; `said`: what the program's hook says."""
        method = method if method in METHODS else OTHER_METHOD
        milliseconds = round(seconds * 1000, 3)
        if self._every is not None:
            self._add(method, route, status, milliseconds)
            return
        if self._plain is not None and not extra and not said:
            self._plain(method, route, status, milliseconds)
            return
        data: dict[str, Any] = {
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": milliseconds,
        }
        if extra:
            data.update(extra)
        if self._sample < 1:
            data["sample_rate"] = self._sample
        ids: dict[str, Any] = {}
        for field, value in (said or {}).items():
            (ids if field in _IDS else data)[field] = value
        self._track("api_request", data, **ids)

    def flush(self) -> None:
        """Hand over what is summed up."""
        with self._lock:
            counts, self._counts = self._counts, {}
            self._since = time.monotonic()
        for (method, route, status), count in counts.items():
            data = {
                "method": method,
                "route": route,
                "status": status,
                "count": count.requests,
                "duration_ms": round(count.total_ms / count.requests, 3),
                "max_duration_ms": count.max_ms,
            }
            if self._sample < 1:
                data["sample_rate"] = self._sample
            self._track("api_requests", data)

    def _add(self, method: str, route: str, status: int, milliseconds: float) -> None:
        with self._lock:
            count = self._counts.setdefault((method, route, status), _Count())
            count.requests += 1
            count.total_ms += milliseconds
            count.max_ms = max(count.max_ms, milliseconds)
            due = time.monotonic() - self._since >= (self._every or 0) or len(self._counts) > _MOST_ROUTES
        if due:
            self.flush()


def validation_errors(body: bytes) -> list[str]:
    """Which fields a 422 of FastAPI (or of an RFC 9457 document with `errors`) complains of, without their values."""
    try:
        found = json.loads(body)
        errors = found["detail"] if isinstance(found.get("detail"), list) else found.get("errors", [])
        return [_one_error(error) for error in errors[:_MOST_ERRORS]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _one_error(error: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"]) if "loc" in error else str(error.get("field", "?"))
    return f"{place}: {error.get('type', 'invalid')}"


_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def clean_template(path: str) -> tuple[str, tuple[str, ...]]:
    """A template without types of its parameters, and their names: `/a/{id:int}` gives `/a/{id}` and `id`."""
    return _PARAMETER.sub(r"{\1}", path), tuple(_PARAMETER.findall(path))
