"""Local days of many instants at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics_api.domain.analysis.stream import Ints

_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICROSECOND
_STEP = timedelta(hours=12)
"""No zone moves its clocks there and back within this time."""


def local_days(times: Ints, epoch: datetime, since: datetime, until: datetime, zone: ZoneInfo) -> Ints:
    """Days of a zone since the day of `epoch`, midnight in UTC, of instants from `since` to `until` in microseconds since `epoch`."""
    starts, offsets = [since], [_offset(since, zone)]
    while starts[-1] < until and (change := _next_change(starts[-1], until, zone)) is not None:
        starts.append(change)
        offsets.append(_offset(change, zone))
    begins = np.array([(start - epoch) // _MICROSECOND for start in starts[1:]], np.int64)
    there = np.array(offsets, np.int64)[np.searchsorted(begins, times, side="right")]
    found: Ints = (times + there) // _DAY
    return found


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _MICROSECOND


def _next_change(after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant behind `after` with another offset than the one before it."""
    low, offset = after, _offset(after, zone)
    while low < until:
        high = low + _STEP
        if _offset(high, zone) == offset:
            low = high
            continue
        while high - low > _MICROSECOND:
            middle = low + (high - low) // 2
            low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
        return high
    return None
