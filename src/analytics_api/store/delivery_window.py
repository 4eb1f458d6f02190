"""The hours that deliveries are counted by, and what to see of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

WITHIN = "{0} >= coalesce($1::timestamptz, '-infinity') AND {0} < coalesce($2::timestamptz, 'infinity')"
"""SQL for a column within a window's bounds."""


class Grain(StrEnum):
    """What is summed up."""

    HOUR = "hour"
    DAY = "day"
    """Of UTC."""
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Window:
    """What to see: from `first` up to, not including, `last` (whole hours; None: no bound), summed up by `grain`."""

    grain: Grain = Grain.TOTAL
    first: datetime | None = None
    last: datetime | None = None

    def start(self, column: str) -> str:
        """SQL for the beginning of a row's hour or day; NULL for all time."""
        if self.grain == Grain.TOTAL:
            return "NULL::timestamptz"
        return f"date_trunc('{self.grain.value}', {column}, 'UTC')"


# Events that were written together have one time of arrival.
@lru_cache(1024)
def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
