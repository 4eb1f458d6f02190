"""What every reader of a file yields, and how the file's words become ours."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import IO

from analytics_api.ingest.draft import Rejected
from analytics_api.ingest.payloads import EventPayload

LEFT_OUT = "-"
"""`--map request=-` leaves the events of a type out."""


@dataclass(frozen=True, slots=True)
class FieldMap:
    """How a file's words become ours."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Our field -> column. CSV only."""
    event_types: Mapping[str, str] = field(default_factory=dict)
    """Event type in the file -> ours, or LEFT_OUT."""
    user_from_ip: bool = False
    """Whether the address in an access log is the user id. Access logs only."""


Line = tuple[int, EventPayload | Rejected | None, int]
"""Line number from 1; the event, why there is none, or None when the mapping leaves it out; its size in bytes."""

Lines = Generator[Line, None, None]

Reader = Callable[[IO[bytes], FieldMap], Lines]
"""Reads a file that is open, unpacked and seekable; to be closed before the file is. Raises ConfigurationError when the file as a whole cannot be read so."""


def mapped(number: int, payload: EventPayload, size: int, mapping: FieldMap) -> Line:
    """The line of an event under the mapping's event type."""
    name = mapping.event_types.get(payload.event_type)
    if name is None:
        return number, payload, size
    if name == LEFT_OUT:
        return number, None, size
    payload.event_type = name
    return number, payload, size
