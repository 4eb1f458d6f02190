"""Which session an event belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics_api.domain.analysis.stream import Ints


@dataclass(frozen=True, slots=True)
class Visits:
    """Sessions of persons on devices, in any order."""

    person: Ints
    device: Ints
    start: Ints
    end: Ints


def session_of(person: Ints, device: Ints, time: Ints, visits: Visits) -> Ints:
    """For each event the number of the session that it lies in, -1 for none."""
    known = len(visits.person)
    persons, devices, times = (
        np.concatenate(pair)
        for pair in ((visits.person, person), (visits.device, device), (visits.start, time))
    )
    # Sessions come first among equals, so that an event finds the one that it starts.
    order = np.lexsort((np.arange(len(persons)) >= known, times, devices, persons))
    place = np.where(order < known, np.arange(len(order)), -1)
    latest = np.maximum.accumulate(place) if len(place) else place
    events = order >= known
    event, session = order[events] - known, order[latest[events]]
    inside = (latest[events] >= 0) & (session < known)
    session = np.where(inside, session, 0)
    found = np.full(len(person), -1, np.int64)
    if known:
        inside &= (visits.person[session] == person[event]) & (visits.device[session] == device[event])
        inside &= time[event] <= visits.end[session]
        found[event] = np.where(inside, session, -1)
    return found
