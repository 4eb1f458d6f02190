"""What rollups must say, counted event by event in plain Python; a test sees to it that nothing of the store is used."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from analytics_api.domain.event import INACTIVE_EVENT_TYPES, NewEvent
from analytics_api.domain.project import Project
from analytics_api.domain.properties import apply_operations


def _active(event: NewEvent) -> bool:
    return (
        event.event_type not in INACTIVE_EVENT_TYPES
        and json.loads(event.context).get("automatic") is not True
    )


class Recount:
    """What the rollups must say, counted event by event in the order of the log."""

    def __init__(
        self, project: Project, events: Sequence[NewEvent], who: Mapping[UUID, UUID] | None = None
    ) -> None:
        """`who` gives those who are another person."""
        self._who = who or {}
        self.event_days: Counter[tuple[date, str, bool]] = Counter()
        self.person_days: dict[tuple[Any, date], list[Any]] = {}
        self.people: dict[Any, dict[str, Any]] = defaultdict(dict)
        self.firsts: dict[tuple[Any, str], list[datetime | None]] = {}
        self.payments: dict[tuple[str, str], NewEvent] = {}
        self.events = events
        for event in events:
            self._count(project, event)

    def _person(self, event: NewEvent) -> UUID:
        return self._who.get(event.person_id, event.person_id)

    def _count(self, project: Project, event: NewEvent) -> None:
        day = event.occurred_at.astimezone(project.zone).date()
        active = _active(event)
        self.event_days[day, event.event_type, event.is_bot] += 1
        if event.trusted and event.event_type in ("payment_completed", "payment_refunded"):
            self._pay(event)
        if not event.has_person:
            return
        known = self.person_days.setdefault((self._person(event), day), [False, False, 0])
        known[0] |= active and not event.is_bot
        known[1] |= active
        known[2] += 1
        first = self.firsts.setdefault((self._person(event), event.event_type), [None, event.occurred_at])
        first[1] = min(first[1] or event.occurred_at, event.occurred_at)
        if not event.is_bot:
            first[0] = min(first[0] or event.occurred_at, event.occurred_at)
        person = self.people[self._person(event)]

        def least(name: str, value: Any) -> None:
            person[name] = min(person.get(name) or value, value)

        def greatest(name: str, value: Any) -> None:
            person[name] = max(person.get(name) or value, value)

        least("first_seen_at", event.occurred_at)
        greatest("last_seen_at", event.occurred_at)
        least("first_day_with_bots", day)
        if not event.is_bot:
            least("first_day", day)
        if active:
            greatest("last_active_day_with_bots", day)
            if not event.is_bot:
                greatest("last_active_day", day)
        if event.event_type == "signup_completed" and not event.is_bot:
            least("first_signup_at", event.occurred_at)
            least("first_signup_day", day)
        if event.anonymous_id is not None:
            least("anonymous_id", event.anonymous_id)
        if event.person_id == self._person(event):
            person["user_id"] = event.user_id
        if event.user_properties is not None:
            at = (event.occurred_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
            state = person.setdefault("properties", {}), person.setdefault("property_times", {})
            apply_operations(*state, json.loads(event.user_properties), at)
        self._touch(person, event)

    def _touch(self, person: dict[str, Any], event: NewEvent) -> None:
        """The first event with a source that is no move inside the site; of two at once, the one that came first."""
        source = json.loads(event.context).get("source")
        if source is None or source["channel"] == "internal" or event.is_bot:
            return
        if "first_touch" not in person or event.occurred_at < person["first_touch_at"]:
            person["first_touch"], person["first_touch_at"] = source, event.occurred_at

    def _pay(self, event: NewEvent) -> None:
        data = json.loads(event.event_data)
        kind = "payment" if event.event_type == "payment_completed" else "refund"
        number = data.get("payment_id" if kind == "payment" else "refund_id") or str(event.event_id)
        if (kind, number) in self.payments:
            return
        self.payments[kind, number] = event
        if kind == "payment" and event.revenue and event.has_person:
            person = self.people[self._person(event)]
            person["first_payment_at"] = min(
                person.get("first_payment_at") or event.occurred_at, event.occurred_at
            )

    def sessions(self, project: Project) -> list[tuple[Any, ...]]:
        """Active events of each person and device one by one: a pause of 30 minutes or 24 hours from the start end a session."""
        by_device: dict[Any, list[NewEvent]] = defaultdict(list)
        for event in self.events:
            if event.has_person and _active(event):
                by_device[self._person(event), event.anonymous_id or ""].append(event)
        found = []
        for (person, device), events in by_device.items():
            sessions: list[list[NewEvent]] = []
            for event in sorted(events, key=lambda one: one.occurred_at):
                if (
                    not sessions
                    or event.occurred_at - sessions[-1][-1].occurred_at >= timedelta(minutes=30)
                    or event.occurred_at - sessions[-1][0].occurred_at >= timedelta(hours=24)
                ):
                    sessions.append([])
                sessions[-1].append(event)
            for session in sessions:
                start = session[0].occurred_at
                day = start.astimezone(project.zone).date()
                page_views = sum(one.event_type == "page_view" for one in session)
                is_bot = all(one.is_bot for one in session)
                found.append(
                    (person, device, start, session[-1].occurred_at, day, len(session), page_views, is_bot)
                )
        return sorted(found)

    def histogram(self, column: str) -> dict[date, int]:
        days = (person.get(column) for person in self.people.values())
        return dict(Counter(day for day in days if day is not None))
