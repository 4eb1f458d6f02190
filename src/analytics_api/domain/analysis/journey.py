"""Journeys: what comes before or after an event, as levels of nodes with links between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analytics_api.domain.analysis.stream import Flags, Ints, Stream, first_of_each

END = -1
"""Node where a path has ended (or, looking back, begun)."""
OTHERS = -2
"""Node of all labels that are not among the most frequent of their level."""


@dataclass(frozen=True, slots=True)
class Link:
    """How many journeys go from one node of a level to one of the next."""

    level: int
    source: int
    target: int
    count: int


@dataclass(frozen=True, slots=True)
class Journeys:
    """What was found. Level 0 is the anchor; the levels behind it count away from it."""

    starts: Ints
    """Position in the stream of the anchor of each journey."""
    events: Ints
    """A row for each level, a column for each journey: the position of its event there, -1 behind its end."""
    labels: Ints
    """The same, with labels, or END."""

    def folded(self, most: int) -> Ints:
        """The labels; those of each level that are not among its `most` frequent ones are OTHERS.

        Of labels that are equally frequent those with the smaller number are kept.
        """
        rows = [self.labels[0]]
        for row in self.labels[1:]:
            values, index, counts = np.unique(row, return_inverse=True, return_counts=True)
            frequent = np.lexsort((values, -counts))
            kept = values == END
            kept[frequent[values[frequent] != END][:most]] = True
            rows.append(np.where(kept[index], row, OTHERS))
        return np.array(rows)


@dataclass(frozen=True, slots=True)
class Walk:
    """What is asked."""

    steps: int
    window: int
    """Microseconds from the anchor, the last one included."""
    back: bool = False
    """Whether what came before is looked at."""
    collapse: bool = True
    """Whether several events of one label that follow each other count as one."""


def find(stream: Stream, anchors: Ints, nodes: Flags, walk: Walk) -> Journeys:
    """The journeys from the first anchor of each path over `nodes`. `anchors`: positions, ascending."""
    starts = anchors[first_of_each(stream.path[anchors])]
    kept = nodes.copy()
    kept[starts] = True
    places = np.flatnonzero(kept)
    if walk.collapse:
        places = _nearest_of_runs(stream, places, back=walk.back)
    place = (
        np.searchsorted(places, starts) if walk.back else np.searchsorted(places, starts, side="right") - 1
    )
    rows = [starts]
    for step in range(1, walk.steps + 1):
        there = place - step if walk.back else place + step
        inside = (there >= 0) & (there < len(places))
        event = places[np.where(inside, there, place)]
        inside &= stream.path[event] == stream.path[starts]
        inside &= np.abs(stream.time[event] - stream.time[starts]) <= walk.window
        rows.append(np.where(inside, event, -1))
    events = np.array(rows, np.int64).reshape(walk.steps + 1, len(starts))
    return Journeys(starts, events, np.where(events >= 0, stream.label[events], END))


def _nearest_of_runs(stream: Stream, places: Ints, *, back: bool) -> Ints:
    """Of events of one label in a row the one that is met first."""
    if len(places) == 0:
        return places
    path, label = stream.path[places], stream.label[places]
    changes = np.flatnonzero((path[1:] != path[:-1]) | (label[1:] != label[:-1]))
    nearest: Ints = places[np.append(changes, len(places) - 1) if back else np.append(0, changes + 1)]
    return nearest


def links(levels: Ints) -> list[Link]:
    """The links between neighbouring levels, most frequent first within each. What has ended goes nowhere."""
    found = []
    rows = [np.unique(row, return_inverse=True) for row in levels]
    for level, ((sources, source), (targets, target)) in enumerate(pairwise(rows)):
        alive = sources[source] != END
        pairs, counts = np.unique(source[alive] * len(targets) + target[alive], return_counts=True)
        ends = sources[pairs // len(targets)], targets[pairs % len(targets)], counts
        made = [Link(level, *each) for each in zip(*(column.tolist() for column in ends), strict=True)]
        found += sorted(made, key=lambda link: (-link.count, link.source, link.target))
    return found


def top_paths(levels: Ints, most: int) -> list[tuple[Sequence[int], int]]:
    """The most frequent whole journeys with their number."""
    if levels.shape[1] == 0:
        return []
    path = np.zeros(levels.shape[1], np.int64)
    for row in levels:
        values, index = np.unique(row, return_inverse=True)
        # Numbers in the order of what they stand for, anew at each level so that they stay small.
        _, path = np.unique(path * len(values) + index, return_inverse=True)
    _, example, counts = np.unique(path, return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [(levels[:, example[index]].tolist(), int(counts[index])) for index in order]
