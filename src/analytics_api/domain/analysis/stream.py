"""Events of persons as arrays, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_TOO_LARGE = 2**63
"""For whole numbers of 64 bits."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Events in the order of path, time and place in the log. All arrays are equally long."""

    person: Ints
    """Whose event it is, as an index."""
    path: Ints
    """What an attempt stays within: the person, one of their sessions, or one value of a property there. Never of two persons."""
    unit: Ints
    """What counts once: the person, or one of their sessions."""
    time: Ints
    """Microseconds since an epoch."""
    seq: Ints
    """Place in the log, which decides among events of the same time."""
    mask: Ints
    """Bit n is set when the event meets the n-th condition that was asked for."""
    label: Ints
    """Number of a value, such as that of the property by which is broken down."""

    def __len__(self) -> int:
        return len(self.time)

    def having(self, bit: int) -> Ints:
        """Positions of the events that meet a condition, ascending."""
        return np.flatnonzero(self.mask >> bit & 1)


def arranged(
    person: Ints,
    time: Ints,
    seq: Ints,
    mask: Ints,
    *,
    path: Ints | None = None,
    unit: Ints | None = None,
    label: Ints | None = None,
) -> Stream:
    """A stream of events that come in any order. Without `path` an attempt may use all events of its person, who counts without `unit`."""
    order = chronological(person, time, seq) if path is None else np.lexsort((seq, time, path, person))
    person = person[order]
    return Stream(
        person,
        person if path is None else numbered(person, path[order]),
        person if unit is None else unit[order],
        time[order],
        seq[order],
        mask[order],
        np.zeros(len(order), np.int64) if label is None else label[order],
    )


def chronological(group: Ints, time: Ints, seq: Ints) -> Ints:
    """The order by group, time and place in the log. Groups are numbered from 0.

    One key is sorted in a small part of the time of three; the few of one group and time are put in order afterwards.
    """
    if len(group) == 0:
        return np.zeros(0, np.int64)
    begin = int(time.min())
    width = int(time.max()) - begin + 1
    if (int(group.max()) + 1) * width >= _TOO_LARGE:
        return np.lexsort((seq, time, group))
    keys = group * width + (time - begin)
    order = np.argsort(keys)
    keys = keys[order]
    same = keys[1:] == keys[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    among = order[tied]
    order[tied] = among[np.lexsort((seq[among], keys[tied]))]
    return order


def numbered(*columns: Ints) -> Ints:
    """Numbers that change wherever one of the columns does; the columns are sorted together."""
    if len(columns[0]) == 0:
        return np.zeros(0, np.int64)
    changes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.cumsum(changes)


def following(positions: Ints, here: Ints, *, inclusive: bool = False) -> Ints:
    """For each of `here` the first of the ascending `positions` behind it (or at it), -1 where there is none."""
    index = np.searchsorted(positions, here, side="left" if inclusive else "right")
    found = np.full(len(here), -1, np.int64)
    there = index < len(positions)
    found[there] = positions[index[there]]
    return found


def distinct(values: Ints) -> Ints:
    """The different values, ascending. A tenth of the time that numpy's `unique` takes."""
    ordered = np.sort(values)
    return ordered[first_of_each(ordered)]


def first_of_each(groups: Ints) -> Ints:
    """Positions at which a group begins; `groups` has equal numbers side by side."""
    if len(groups) == 0:
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
