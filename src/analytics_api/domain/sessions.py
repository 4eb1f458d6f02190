"""Sessions: stretches of activity of a person on a device (definitions, section 12 and decision 8).

A pause of 30 minutes or more ends a session, and none lasts longer than 24 hours from its start. The result depends on
the times only, never on the order in which events arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

PAUSE = timedelta(minutes=30)
LONGEST = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Session:
    """A session, or a single event as the shortest one."""

    started_at: datetime
    ended_at: datetime
    events: int = 1
    page_views: int = 0
    is_bot: bool = False
    """Whether all of its events come from bots."""


def join(pieces: Iterable[Session]) -> Session:
    """Sessions and events that belong together as one."""
    parts = list(pieces)
    return Session(
        min(part.started_at for part in parts),
        max(part.ended_at for part in parts),
        sum(part.events for part in parts),
        sum(part.page_views for part in parts),
        all(part.is_bot for part in parts),
    )


def islands(pieces: Iterable[Session]) -> list[list[Session]]:
    """Pieces in groups without a pause of 30 minutes between them, in the order of time."""
    groups: list[list[Session]] = []
    reach: datetime | None = None
    for piece in sorted(pieces, key=lambda piece: (piece.started_at, piece.ended_at)):
        if reach is None or piece.started_at - reach >= PAUSE:
            groups.append([])
            reach = piece.ended_at
        groups[-1].append(piece)
        reach = max(reach, piece.ended_at)
    return groups


def is_long(island: Sequence[Session]) -> bool:
    """Whether an island lasts too long for one session, so that its single events decide where it is cut."""
    return max(piece.ended_at for piece in island) - min(piece.started_at for piece in island) >= LONGEST


def cut(events: Iterable[Session]) -> list[Session]:
    """The sessions of single events: cut at pauses, and 24 hours after the start of each session."""
    sessions: list[Session] = []
    for island in islands(events):
        current: list[Session] = []
        for event in island:
            if current and event.started_at - current[0].started_at >= LONGEST:
                sessions.append(join(current))
                current = []
            current.append(event)
        sessions.append(join(current))
    return sessions
