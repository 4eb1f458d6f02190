"""Retention counted person by person in plain Python: the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

LENGTHS = {"daily": timedelta(days=1), "weekly": timedelta(days=7), "monthly": timedelta(days=30)}


def bucket(day: date, period: str) -> int:
    """Consecutive numbers of days, of weeks from Monday, or of months."""
    if period == "daily":
        return day.toordinal()
    if period == "weekly":
        return (day.toordinal() - 1) // 7
    return day.year * 12 + day.month


@dataclass
class Retention:
    """A question, and births and returns as (person, instant)."""

    asked: dict[str, Any]
    zone: ZoneInfo
    as_of: datetime
    births: Sequence[tuple[UUID, datetime]]
    returns: Sequence[tuple[UUID, datetime]]

    def _number(self, moment: datetime) -> int:
        return bucket(moment.astimezone(self.zone).date(), self.asked["period"])

    def members(self, first: date, last: date) -> dict[tuple[UUID, int], datetime]:
        """(person, number of the cohort), each with the moment of birth."""
        found: dict[tuple[UUID, int], datetime] = {}
        seen: set[UUID] = set()
        for person, moment in sorted(self.births, key=lambda birth: birth[1]):
            if self.asked["mode"] == "first_ever" and person in seen:
                continue
            seen.add(person)
            if first <= moment.astimezone(self.zone).date() <= last:
                found.setdefault((person, self._number(moment)), moment)
        return found

    def there(self, person: UUID, born: datetime, low: int, high: int | None) -> bool:
        """Whether somebody was there in a column."""
        return any(who == person and self._within(born, moment, low, high) for who, moment in self.returns)

    def _within(self, born: datetime, moment: datetime, low: int, high: int | None) -> bool:
        if self.asked["clock"] == "calendar":
            periods = self._number(moment) - self._number(born)
        else:
            periods = (moment - born) // LENGTHS[self.asked["period"]]
        return periods >= low and (high is None or periods <= high)

    def ripe(self, born: datetime, needed: int) -> bool:
        """Whether the time of a column is over."""
        if self.asked["clock"] == "calendar":
            return self._number(born) + needed < self._number(self.as_of)
        return born + (needed + 1) * LENGTHS[self.asked["period"]] <= self.as_of

    def columns(self) -> list[tuple[int, int | None]]:
        """First and last period of each column."""
        if self.asked.get("brackets"):
            return [(0, 0), *map(tuple, self.asked["brackets"])]
        make: Callable[[int], tuple[int, int | None]] = {
            "on": lambda k: (k, k),
            "on_or_after": lambda k: (k, None),
            "on_or_before": lambda k: (min(k, 1), k),
        }[self.asked["criterion"]]
        return [make(k) for k in range(self.asked["columns"])]
