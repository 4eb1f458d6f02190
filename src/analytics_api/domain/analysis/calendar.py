"""Buckets of a trend: hours, days, weeks or months of a zone, and where the open one stands in the period before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from analytics_api.domain.period import Period, bucket_of, buckets, local_day, next_bucket, start_of_day


class Step(StrEnum):
    """The length of a bucket."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Calendar:
    """The buckets that touch the local days from `first` to `last`."""

    step: Step
    first: date
    last: date
    zone: ZoneInfo
    week_start: int = 1

    def days(self) -> tuple[date, date]:
        """The first day of the first bucket and the last day of the last one."""
        if self.step is Step.HOURLY:
            return self.first, self.last
        period = Period(self.step.value)
        begin = bucket_of(self.first, period, self.week_start)
        end = next_bucket(bucket_of(self.last, period, self.week_start), period)
        return begin, end - timedelta(days=1)

    def names(self) -> list[date | datetime]:
        """What tells the buckets: their first days, or the instants at which hours begin."""
        if self.step is Step.HOURLY:
            return list(self._hours())
        return list(buckets(*self._range(), self.week_start))

    def _range(self) -> tuple[date, date, Period]:
        return self.first, self.last, Period(self.step.value)

    def starts(self) -> list[datetime]:
        """The first instants of all buckets, in UTC."""
        if self.step is Step.HOURLY:
            return self._hours()
        return [start_of_day(day, self.zone) for day in buckets(*self._range(), self.week_start)]

    def _hours(self) -> list[datetime]:
        moment = start_of_day(self.first, self.zone)
        end = start_of_day(self.last + timedelta(days=1), self.zone)
        found: list[datetime] = []
        # By quarters, because some zones move their clocks by half an hour.
        while moment < end:
            local = moment.astimezone(self.zone)
            start = moment - timedelta(minutes=local.minute, seconds=local.second)
            if not found or start > found[-1]:
                found.append(start)
            moment += timedelta(minutes=15)
        return found

    def before(self) -> Calendar:
        """As many buckets (of hours: days) directly before these."""
        if self.step is Step.MONTHLY:
            months = len(self.starts())
            first = self.days()[0]
            for _ in range(months):
                first = (first - timedelta(days=1)).replace(day=1)
            last = self.days()[0] - timedelta(days=1)
        else:
            begin, end = self.days()
            first, last = begin - (end - begin) - timedelta(days=1), begin - timedelta(days=1)
        return Calendar(self.step, first, last, self.zone, self.week_start)

    def counterpart(self, moment: datetime) -> datetime:
        """The same day and local time of day of the last bucket of the period before, given one inside the last bucket here.

        A bucket that is shorter than that ends where it ends.
        """
        there = self.before()
        start, begin = there.starts()[-1], self.starts()[-1]
        end = start_of_day(there.days()[1] + timedelta(days=1), self.zone)
        if self.step is Step.HOURLY:
            today = there.days()[1]
        else:
            passed = local_day(moment, self.zone) - local_day(begin, self.zone)
            if passed < timedelta():
                # Clocks were put back over midnight (Goose Bay, until 2011): they show the day before again.
                return min(start + (moment - begin), end)
            today = local_day(start, self.zone) + passed
        local = moment.astimezone(self.zone).timetz().replace(tzinfo=None)
        same = datetime.combine(today, local, tzinfo=self.zone).astimezone(UTC)
        return min(same, end)
