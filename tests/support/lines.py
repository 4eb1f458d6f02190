"""Lines of files as the readers of imports see them, and what the pipeline makes of them."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics_api.domain.event import NewEvent
from analytics_api.domain.project import Project
from analytics_api.ingest.draft import Reception, Rejected
from analytics_api.ingest.formats import FORMATS, FieldMap
from analytics_api.ingest.payloads import EventPayload
from analytics_api.ingest.pipeline import make_draft, run_steps

PROJECT = Project(1, "p", "P", UUID("6d1b6c7e-8f0a-4b52-9a55-0d3f5f7f2c11"), ZoneInfo("UTC"), "EUR", 1)
RECEPTION = Reception(PROJECT, True, datetime(2026, 3, 10, tzinfo=UTC), timedelta(), None, keep_pii=False)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


def read(
    format_name: str, content: str | bytes, mapping: FieldMap | None = None
) -> list[tuple[int, EventPayload | str | None]]:
    """Line numbers with the event, the reason why there is none, or None."""
    stream = io.BytesIO(content.encode() if isinstance(content, str) else content)
    found = FORMATS[format_name](stream, mapping or FieldMap())
    return [(number, str(what) if isinstance(what, Rejected) else what) for number, what, _ in found]


def one(format_name: str, line: dict[str, Any] | str, mapping: FieldMap | None = None) -> EventPayload:
    """The event of a file with one line."""
    [(number, payload)] = read(format_name, line if isinstance(line, str) else json.dumps(line), mapping)
    assert number == 1
    assert isinstance(payload, EventPayload), payload
    return payload


def stored(payload: EventPayload) -> NewEvent:
    """What the pipeline makes of a line."""
    return run_steps(make_draft(payload, 1, 100), RECEPTION)
