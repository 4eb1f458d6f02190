"""How long projects keep raw events, and which are past that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from analytics_api.domain.period import local_day, start_of_day


@dataclass(frozen=True, slots=True)
class Periods:
    """Days that a project keeps its raw events."""

    days: int | None = None
    """None: as long as the installation says, and then by whole partitions."""
    event_types: Mapping[str, int] = field(default_factory=dict)
    """Of single types, in place of `days`."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Events of a project that occurred *and* arrived before these instants are past retention.

    Each is the beginning of a local day, because figures are sealed by the day.
    """

    whole: datetime
    """By the installation's period, which is that of whole partitions: an event waits for the end of its partition."""
    others: datetime | None
    """Of types without one of their own; None when the project has decided nothing."""
    by_type: Mapping[str, datetime]

    @classmethod
    def at(cls, now: datetime, zone: ZoneInfo, periods: Periods, default_days: int) -> Cutoffs:
        """As of a moment."""
        today = local_day(now, zone)

        def cutoff(days: int) -> datetime:
            return start_of_day(today - timedelta(days=days), zone)

        return cls(
            cutoff(default_days),
            None if periods.days is None else cutoff(periods.days),
            {event_type: cutoff(days) for event_type, days in periods.event_types.items()},
        )

    @property
    def of_all(self) -> datetime:
        """What is older is past retention, whatever its type."""
        return min([self.others or self.whole, *self.by_type.values()])

    @property
    def newest(self) -> datetime:
        """What is newer stays, whatever its type."""
        return max([self.others or self.whole, *self.by_type.values()])

    def within(self, upper: datetime) -> tuple[datetime | None, Mapping[str, datetime]]:
        """Cutoffs in a partition that ends at `upper`: of types without their own (None: all stay), and of single types."""
        others = self.others or (self.whole if upper <= self.whole else None)
        return others, self.by_type
