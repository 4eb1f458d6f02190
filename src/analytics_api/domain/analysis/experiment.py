"""Experiments: which variant persons saw first, and what they did afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics_api.domain.analysis.stream import Flags, Ints, Stream, first_of_each
from analytics_api.domain.statistics import Sample

Floats = NDArray[np.float64]
ROUNDING = 1e-12
"""Share of a sum by which it may be off: some 10,000 amounts of two decimals added in another order."""


@dataclass(frozen=True, slots=True)
class Exposures:
    """The first exposure of each person, in the order of persons."""

    position: Ints
    """In the stream."""
    several: Flags
    """Who saw more than one variant."""


def exposures(stream: Stream, seen: Ints) -> Exposures:
    """`seen`: positions of exposures, ascending; labels of the stream are variants."""
    starts = first_of_each(stream.person[seen])
    first = seen[starts]
    lengths = np.diff(np.append(starts, len(seen)))
    other = stream.label[seen] != np.repeat(stream.label[first], lengths)
    whose = np.repeat(np.arange(len(first)), lengths)
    return Exposures(first, np.bincount(whose[other], minlength=len(first)) > 0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """When after the exposure something counts, in microseconds; the end is not included, None is never."""

    begin: int
    end: int | None


def outcomes(stream: Stream, first: Ints, events: Ints, values: Floats, stretch: Stretch) -> Floats:
    """For each exposure the sum of the values of a person's events within the stretch behind it. `events`: positions."""
    people = stream.person[first]
    index = np.searchsorted(people, stream.person[events])
    exposed = index < len(people)
    exposed[exposed] = people[index[exposed]] == stream.person[events[exposed]]
    events, values, index = events[exposed], values[exposed], index[exposed]
    since = stream.time[events] - stream.time[first[index]]
    counts = (events > first[index]) & (since >= stretch.begin)
    if stretch.end is not None:
        counts &= since < stretch.end
    return np.bincount(index[counts], values[counts], minlength=len(first)).astype(np.float64)


def summed_up(values: Floats) -> Sample:
    """Size, mean and variance. What differs by no more than rounding does not vary: three times 0.1 is no experiment."""
    size = len(values)
    mean = float(values.mean()) if size else 0.0
    if size < 2 or float(np.ptp(values)) <= ROUNDING * float(np.abs(values).max()):
        return Sample(size, mean, 0.0)
    return Sample(size, mean, float(values.var(ddof=1)))
