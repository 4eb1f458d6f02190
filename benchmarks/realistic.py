"""Realistic events, about 400 bytes of JSON each, of mixed types, with ids as an SDK makes them."""

from __future__ import annotations

import os
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

_PATHS = (
    "/",
    "/pricing",
    "/docs/getting-started",
    "/features/image-generator",
    "/blog/how-we-count",
    "/account",
)
_TYPES = (
    "page_view",
    "page_view",
    "page_view",
    "feature_used",
    "feature_used",
    "generation_completed",
    "login",
)


def make_event(dice: random.Random, now: datetime) -> dict[str, Any]:
    """One event of one of 20,000 people."""
    kind = dice.choice(_TYPES)
    person = dice.randrange(20_000)
    path = dice.choice(_PATHS)
    data: dict[str, Any] = {"path": path, "title": f"Analytics {path}", "load_ms": dice.randrange(40, 900)}
    if kind == "feature_used":
        data = {
            "feature_name": "image_generator",
            "action": "click",
            "source": path,
            "position": dice.randrange(9),
        }
    elif kind == "generation_completed":
        data = {
            "generation_type": "image",
            "result_id": f"r{dice.randrange(10**9)}",
            "duration_ms": dice.randrange(9000),
        }
    event: dict[str, Any] = {
        "event_id": str(uuid.UUID(bytes=os.urandom(16), version=4)),
        "event_type": kind,
        "anonymous_id": f"device-{person:05}",
        "session_id": f"s{person}-{now:%H}",
        "timestamp": (now - timedelta(seconds=dice.uniform(0, 50))).isoformat(timespec="milliseconds"),
        "event_data": data,
        "context": {
            "page": {"url": f"https://example.com{path}", "path": path, "referrer": ""},
            "locale": "en-GB",
        },
    }
    if person % 3 == 0:
        event["user_id"] = f"user-{person}"
    return event


def batches(count: int, size: int, seed: int = 1) -> list[bytes]:
    """Bodies of `size` events each, as arrays."""
    dice = random.Random(seed)
    now = datetime.now(UTC)
    return [orjson.dumps([make_event(dice, now) for _ in range(size)]) for _ in range(count)]


def singles(count: int, seed: int = 2) -> list[bytes]:
    """Bodies of one event each."""
    dice = random.Random(seed)
    now = datetime.now(UTC)
    return [orjson.dumps(make_event(dice, now)) for _ in range(count)]
