"""A project: one product whose events are kept together, with its own zone, currency and keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Project:
    """What every room needs to know of a project."""

    id: int
    slug: str
    name: str
    namespace: UUID
    zone: ZoneInfo
    currency: str
    week_start: int
    """ISO weekday on which a week starts: 1 Monday ... 7 Sunday."""
    allowed_origins: frozenset[str] = frozenset()
    """Whose pages may send events, and read with a key: `https://shop.example`. None named: pages of all may send, none may read."""
    visitor_days: tuple[date, date] | None = None
    """First and last day on which visitors without ids of their own got ids that live for that day."""

    def counted_as(self, first: date, last: date) -> str | None:
        """`visitor-days` if people of the days from `first` to `last` may be counted once a day; None: once altogether."""
        if self.visitor_days is None or first == last:
            return None
        return "visitor-days" if self.visitor_days[0] <= last and self.visitor_days[1] >= first else None


class KeyKind(StrEnum):
    """What an API key may do."""

    WRITE = "write"
    """Public, for pages: sends events, reads nothing, earns no trust with money."""
    SERVER = "server"
    """Secret: revenue, payments, subscriptions, spend, old history, merging of known people."""
    READ = "read"
    """Reads figures and events."""
    ADMIN = "admin"
    """Everything in its project."""


class Role(StrEnum):
    """What a person who logs in may do in a project."""

    VIEWER = "viewer"
    """Reads figures and events."""
    EDITOR = "editor"
    """Also changes what the project watches and expects: alert rules, custom metrics, goals, tracking plan, quarantine, replays."""
    OWNER = "owner"
    """Everything in the project, members and keys included."""
