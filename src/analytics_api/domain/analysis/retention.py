"""Retention: how many persons of a cohort come back after a time (definitions, section 10).

Cells are counted from sorted keys of (person, period): somebody came back in a stretch of periods when the first key at or behind
its beginning is not behind its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from analytics_api.domain.analysis.stream import Flags, Ints, distinct
from analytics_api.domain.analysis.terms import Criterion
from analytics_api.domain.period import Period

FOREVER = 10**9
"""Buckets: longer than anything is kept."""
_END = 2**62


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the matrix: the buckets from `first` to `last` after one's own, both included."""

    first: int
    last: int

    @property
    def needed(self) -> int:
        """The bucket that must be over before the column can be told."""
        return self.first if self.last >= FOREVER else self.last


def columns_of(
    criterion: Criterion, count: int, brackets: list[tuple[int, int]] | None = None
) -> list[Column]:
    """The columns 0 to `count` - 1; with brackets, bucket 0 and one column for each of them."""
    if brackets is not None:
        return [Column(0, 0), *(Column(first, last) for first, last in brackets)]
    if criterion is Criterion.ON:
        return [Column(k, k) for k in range(count)]
    if criterion is Criterion.ON_OR_AFTER:
        return [Column(k, FOREVER) for k in range(count)]
    return [Column(min(k, 1), k) for k in range(count)]


@dataclass(frozen=True, slots=True)
class Marks:
    """Periods of persons, as consecutive numbers."""

    person: Ints
    at: Ints


@dataclass(frozen=True, slots=True)
class Births:
    """Persons with the period of their birth (in `recurring` mode several times), in the order of persons."""

    person: Ints
    at: Ints
    over: Ints
    """For each the first period that is not over."""
    cohort: Ints
    """For each the row of the matrix."""

    def having(self, chosen: Flags) -> Births:
        """Some of them."""
        return Births(self.person[chosen], self.at[chosen], self.over[chosen], self.cohort[chosen])


def by_own_clock(births: Marks, returns: Marks, length: int) -> Marks:
    """Returns as periods of `length` since each person's birth, which is then period 0; those of nobody born are left out.

    Both are in microseconds; nobody is born twice.
    """
    born = np.full(max(births.person.max(initial=-1), returns.person.max(initial=-1)) + 1, _END, np.int64)
    born[births.person] = births.at
    since = returns.at - born[returns.person]
    later = since >= 0
    return Marks(returns.person[later], since[later] // length)


class Returns:
    """When persons came back, to be asked about columns."""

    def __init__(self, marks: Marks) -> None:
        self._first = int(marks.at.min(initial=0))
        self._width = int(marks.at.max(initial=0)) - self._first + 2
        self._keys = distinct(self._key(marks.person, marks.at))

    def _key(self, person: Ints, period: Ints) -> Ints:
        return person * self._width + np.clip(period - self._first, 0, self._width - 1)

    def there(self, births: Births, column: Column) -> Flags:
        """Who of the born has been there by now."""
        first = self._key(births.person, births.at + column.first)
        after = self._key(births.person, births.at + column.last + 1)
        found: Flags = np.searchsorted(self._keys, first) < np.searchsorted(self._keys, after)
        return found


def ripe(births: Births, column: Column) -> Flags:
    """For whom the column's time is over."""
    found: Flags = births.at + column.needed < births.over
    return found


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts of a matrix: a row for each cohort, a column for each of those asked for."""

    sizes: Ints
    """Persons of each cohort."""
    eligible: Ints
    """Of these, those for whom the column's time is over."""
    retained: Ints
    """Of the eligible, those who were there."""
    so_far: Ints
    """Of all, those who have been there by now."""


def matrix(births: Births, cohorts: int, returns: Returns, columns: list[Column]) -> Cells:
    """Count the cells of all cohorts."""
    shape = (cohorts, len(columns))
    eligible, retained, so_far = (np.zeros(shape, np.int64) for _ in range(3))
    for number, column in enumerate(columns):
        there, over = returns.there(births, column), ripe(births, column)
        for counts, those in ((eligible, over), (retained, over & there), (so_far, there)):
            counts[:, number] = np.bincount(births.cohort[those], minlength=cohorts)
    sizes = np.bincount(births.cohort, minlength=cohorts).astype(np.int64)
    return Cells(sizes, eligible, retained, so_far)


FIRST_DAY = date(2000, 1, 1)
"""Number 0 of days."""
_SUNDAY_BEFORE = 1
"""Days from FIRST_DAY to the Sunday after it, ISO weekday 7 or 0; Monday, weekday 1, is a day later."""


def day_number(day: date) -> int:
    """Days since FIRST_DAY."""
    return (day - FIRST_DAY).days


def bucket_numbers(days: Ints, period: Period, week_start: int) -> Ints:
    """Consecutive numbers of the buckets that hold days; the counterpart of domain.period.bucket_of."""
    if period is Period.DAILY:
        return days
    if period is Period.WEEKLY:
        found: Ints = (days - _SUNDAY_BEFORE - week_start) // 7
        return found
    months: Ints = (np.datetime64(FIRST_DAY, "D") + days).astype("datetime64[M]").astype(np.int64)
    return months
