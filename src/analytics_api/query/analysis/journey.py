"""Journeys as they are asked for and answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from analytics_api.domain.analysis.journey import END, OTHERS, Journeys, Walk, find, links, top_paths
from analytics_api.domain.analysis.stream import Ints, Stream, distinct
from analytics_api.domain.analysis.terms import SECOND
from analytics_api.domain.filters import Path
from analytics_api.errors import Unprocessable
from analytics_api.query.analysis.asking import explained, wanted_days, worked_out
from analytics_api.query.analysis.cells import JourneyCell
from analytics_api.query.analysis.questions import JourneyQuestion
from analytics_api.store.analysis.columns import People, micros
from analytics_api.store.analysis.labels import NO_VALUE, Example, hash_of, names
from analytics_api.store.analysis.scope import Kind, Scope, check
from analytics_api.store.analysis.steps import Wanted, read_events

DEFINITION = (
    "From the first {anchor} of each {unit} within the window of days: the next {steps} nodes {direction} it within {window} s. "
    "Nodes are events by {node}{collapsed}."
)
_ANCHOR, _NODE = 0, 1


@dataclass(frozen=True, slots=True)
class JourneyRun:
    """Journeys that have been found."""

    stream: Stream
    people: People
    journeys: Journeys


async def run_journeys(scope: Scope, question: JourneyQuestion, first: date, last: date) -> JourneyRun:
    """Read the events and look. Raises Unprocessable."""
    anchor, nodes = question.anchor.kind(), [node.kind() for node in question.nodes] or [Kind()]
    await check(scope.connection, [kind.filters for kind in (anchor, *nodes)])
    wanted = Wanted([[anchor], nodes], label=Path.parse(question.node), sessions=question.unit == "session")
    since, until = scope.stretch(first, last)
    window = timedelta(seconds=question.window_seconds)
    back = question.direction == "before"
    later = scope.stretch(first, last, window)[1]
    events = await read_events(scope, since - window if back else since, until if back else later, wanted)
    walk = Walk(question.steps, question.window_seconds * SECOND, back, question.collapse)

    def look() -> JourneyRun:
        stream = events.stream
        within = (stream.time >= micros(since)) & (stream.time < micros(until))
        anchors = np.flatnonzero((stream.mask >> _ANCHOR & 1 == 1) & within)
        named = (stream.mask >> _NODE & 1 == 1) & (stream.label != NO_VALUE)
        return JourneyRun(stream, events.people, find(stream, anchors, named, walk))

    return await worked_out(look)


async def journey_answer(scope: Scope, question: JourneyQuestion, late_days: int) -> dict[str, Any]:
    """The answer. Raises Unprocessable."""
    first, last = wanted_days(scope, question)
    found = await run_journeys(scope, question, first, last)
    levels = await worked_out(found.journeys.folded, question.limit)
    named = await _names(scope, question, found, levels)
    definition = DEFINITION.format(
        anchor=question.anchor.words(),
        unit=question.unit,
        steps=question.steps,
        direction=question.direction,
        window=question.window_seconds,
        node=question.node,
        collapsed=", equal ones in a row as one" if question.collapse else "",
    )
    answer = await explained(scope, question, definition, first, last, late_days)
    answer["window"]["seconds"] = question.window_seconds
    nodes, numbers = await worked_out(_nodes, levels, named)
    persons = await worked_out(distinct, found.stream.person[found.journeys.starts])
    return {
        **answer,
        "unit": question.unit,
        "direction": question.direction,
        "node": question.node,
        "journeys": len(found.journeys.starts),
        "persons": len(persons),
        "nodes": nodes,
        "links": [
            _link(nodes, numbers[link.level, link.source], numbers[link.level + 1, link.target], link.count)
            for link in await worked_out(links, levels)
        ],
        "paths": [
            _path(nodes, [numbers[level, label] for level, label in enumerate(path) if label != END], count)
            for path, count in await worked_out(top_paths, levels, question.paths)
        ],
    }


def _link(nodes: list[dict[str, Any]], source: int, target: int, count: int) -> dict[str, Any]:
    """With what its ends are: as a row of a table it is read without `nodes`."""
    return {
        "source": source,
        "target": target,
        "level": nodes[target]["level"],
        "source_kind": nodes[source]["kind"],
        "source_value": nodes[source]["value"],
        "target_kind": nodes[target]["kind"],
        "target_value": nodes[target]["value"],
        "count": count,
    }


def _path(nodes: list[dict[str, Any]], places: list[int], count: int) -> dict[str, Any]:
    return {"count": count, "nodes": places, "values": [nodes[place]["value"] for place in places]}


def _nodes(
    levels: Ints, named: dict[int, str | None]
) -> tuple[list[dict[str, Any]], dict[tuple[int, int], int]]:
    """The nodes of all levels, most frequent first in each, and where each (level, label) is in the list."""
    nodes: list[dict[str, Any]] = []
    numbers: dict[tuple[int, int], int] = {}
    for level, row in enumerate(levels):
        labels, counts = np.unique(row, return_counts=True)
        for index in np.lexsort((labels, -counts)).tolist():
            label, count = int(labels[index]), int(counts[index])
            if label == END:
                # What has ended earlier is no longer on its way.
                count = int((levels[level - 1][row == END] != END).sum())
                if count == 0:
                    continue
            kind = {END: "end", OTHERS: "others"}.get(label, "value")
            numbers[level, label] = len(nodes)
            nodes.append({"level": level, "kind": kind, "value": named.get(label), "count": count})
    return nodes, numbers


async def _names(
    scope: Scope, question: JourneyQuestion, found: JourneyRun, levels: Ints
) -> dict[int, str | None]:
    """The values of all labels that are shown."""
    shown = (levels != END) & (levels != OTHERS)
    labels, index = np.unique(levels[shown], return_index=True)
    at = found.journeys.events[shown][index]
    times, places = found.stream.time[at].tolist(), found.stream.seq[at].tolist()
    examples = [Example(seq, time) for seq, time in zip(places, times, strict=True)]
    return dict(zip(labels.tolist(), await names(scope, Path.parse(question.node), examples), strict=True))


async def journey_people(scope: Scope, question: JourneyQuestion, cell: JourneyCell) -> tuple[People, Ints]:
    """Who is at a node, as numbers of persons, each once."""
    if cell.level > question.steps:
        raise Unprocessable(f"cell.level: the journeys have the levels 0 to {question.steps}.")
    first, last = wanted_days(scope, question)
    found = await run_journeys(scope, question, first, last)
    labels = found.journeys.labels[cell.level]
    if cell.ended:
        chosen = labels == END
    elif cell.value is None:
        chosen = labels != END
    else:
        chosen = labels == await hash_of(scope.connection, cell.value)
    return found.people, np.unique(found.stream.person[found.journeys.starts[chosen]])
