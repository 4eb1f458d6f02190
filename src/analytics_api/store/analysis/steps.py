"""Streams of the events that a funnel or a journey is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from analytics_api.domain.analysis.sessions import Visits, session_of
from analytics_api.domain.analysis.stream import Ints, Stream, arranged, chronological
from analytics_api.domain.filters import Path
from analytics_api.domain.period import local_day
from analytics_api.domain.sessions import LONGEST
from analytics_api.store.analysis.columns import (
    People,
    Rows,
    as_floats,
    copy_rows,
    float_sql,
    masked_rows,
    numbered_people,
)
from analytics_api.store.analysis.labels import hash_sql, number_of, property_sql
from analytics_api.store.analysis.scope import Kind, Scope, Statement


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read of each event."""

    conditions: Sequence[Sequence[Kind]]
    """Condition n sets bit n of an event of one of its kinds."""
    everything: bool = False
    """Whether active events that meet no condition are read, too."""
    label: Path | None = None
    hold: Path | None = None
    """A property that must be the same for a whole path."""
    sessions: bool = False
    """Whether a path is a session instead of a person."""
    numbers: Sequence[Path | None] = ()
    """Numbers to read of each event; None is 1. Not with sessions or `hold`."""


@dataclass(frozen=True, slots=True)
class Events:
    """A stream and who is in it. Labels of the stream are hashes."""

    stream: Stream
    people: People
    numbers: NDArray[np.float64]
    """A row for each of the wanted numbers, in the order of the stream; NaN where there is none."""


async def read_events(scope: Scope, since: datetime, until: datetime, wanted: Wanted) -> Events:
    """The events from an instant up to another. Raises Unprocessable when there are too many."""
    statement = Statement(scope, since, until)
    bits = [
        f"CASE WHEN {statement.any_kind(kinds)} THEN {1 << bit} ELSE 0 END"
        for bit, kinds in enumerate(wanted.conditions)
    ]
    columns: dict[str, str] = {}
    if not wanted.everything:
        statement.only_types_of([kind for kinds in wanted.conditions for kind in kinds])
    if wanted.label is not None:
        columns["label"] = hash_sql(property_sql(statement, wanted.label))
    if wanted.hold is not None:
        columns["hold"] = hash_sql(property_sql(statement, wanted.hold))
    if wanted.sessions:
        columns["device"] = hash_sql("coalesce(e.anonymous_id, '')")
    for place, path in enumerate(wanted.numbers):
        if path is not None:
            columns[f"number{place}"] = float_sql(number_of(statement, path))
    rows = await masked_rows(
        statement,
        " | ".join(bits),
        len(bits),
        columns,
        unmasked=statement.kind(Kind()) if wanted.everything else "false",
    )
    if wanted.sessions:
        return _in_sessions(rows, await _sessions(scope, since, until), wanted)
    people, [person] = numbered_people(rows)
    stream = _stream(rows, person, rows["hold"] if wanted.hold is not None else None, wanted)
    return Events(stream, people, _numbers(rows, person, wanted))


def _numbers(rows: Rows, person: Ints, wanted: Wanted) -> NDArray[np.float64]:
    order = chronological(person, rows["time"], rows["seq"]) if wanted.numbers else np.arange(0)
    found = [
        np.ones(len(order)) if path is None else as_floats(rows[f"number{place}"])[order]
        for place, path in enumerate(wanted.numbers)
    ]
    return np.array(found).reshape(len(found), len(order))


def _stream(rows: Rows, person: Ints, path: Ints | None, wanted: Wanted, unit: Ints | None = None) -> Stream:
    label = rows["label"] if wanted.label is not None else None
    return arranged(person, rows["time"], rows["seq"], rows["mask"], path=path, unit=unit, label=label)


async def _sessions(scope: Scope, since: datetime, until: datetime) -> Rows:
    return await copy_rows(
        scope.connection,
        f"""
        SELECT person_id, {hash_sql("device")} AS device, started_at, ended_at FROM sessions
        WHERE project_id = :project AND day >= :first AND day <= :last AND started_at < :until AND ended_at >= :since
        """,
        ["device", "started_at", "ended_at"],
        {
            "project": scope.project.id,
            "first": local_day(since - LONGEST, scope.project.zone),
            "last": local_day(until, scope.project.zone),
            "since": since,
            "until": until,
        },
    )


def _in_sessions(rows: Rows, sessions: Rows, wanted: Wanted) -> Events:
    people, [person, visitor] = numbered_people(rows, sessions)
    visits = Visits(visitor, sessions["device"], sessions["started_at"], sessions["ended_at"])
    session = session_of(person, rows["device"], rows["time"], visits)
    there = session >= 0
    rows, person, session = rows.having(there), person[there], session[there]
    path = session
    if wanted.hold is not None:
        _, path = np.unique(np.stack([session, rows["hold"]]), axis=1, return_inverse=True)
    return Events(_stream(rows, person, path.reshape(-1), wanted, session), people, np.zeros((0, 0)))
