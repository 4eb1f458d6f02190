"""When persons were born into a cohort and when they came back: from rollups where they know, else from events.

Rows are (person, `at`, `day`): microseconds, and days since 2000-01-01. From rollups `at` is 0 where nobody asks for it.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from analytics_api.domain.analysis.days import local_days
from analytics_api.domain.analysis.stream import first_of_each
from analytics_api.domain.period import local_day, start_of_day
from analytics_api.store.analysis.columns import EPOCH, People, Rows, copy_rows, event_times, numbered_people
from analytics_api.store.analysis.scope import Kind, Scope, Statement, in_firsts
from analytics_api.store.filter_sql import Binds
from analytics_api.store.statements import fetch

_ANY = Kind()
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=EPOCH.tzinfo)
RANDOM_READ = 3
"""Cost of reading an event by its person against that of reading one after the other."""
LOOKUP = 100
"""Cost of finding a person in all partitions: 60 to 150 microseconds, against 1 for an event."""
LATELY = timedelta(days=30)
"""Most of those who do something often did it within so many days before, too."""


def in_rollups(scope: Scope, kind: Kind) -> bool:
    """Whether `person_days` knows who did it on which day."""
    return kind == _ANY and scope.whole and scope.zone.key == scope.project.zone.key


def _active(scope: Scope) -> str:
    return "active_with_bots" if scope.include_bots else "active"


async def marks(scope: Scope, kind: Kind, first: date, last: date, *, times: bool) -> Rows:
    """Every day, or every time, at which persons did something from one local day to another."""
    cut = scope.cut and scope.stretch(first, last)[1] > scope.as_of
    if in_rollups(scope, kind) and not times and not cut:
        return await _person_days(scope, first, last)
    statement = Statement(scope, *scope.stretch(first, last))
    statement.only_types_of([kind])
    statement.only(statement.kind(kind))
    rows = await event_times(statement)
    days = local_days(rows["time"], EPOCH, statement.since, statement.until, scope.zone)
    return Rows(rows.ids, {"at": rows["time"], "day": days})


async def _person_days(scope: Scope, first: date, last: date) -> Rows:
    return await copy_rows(
        scope.connection,
        f"""
        SELECT person_id, 0::bigint AS at, (day - DATE '2000-01-01')::bigint AS day FROM person_days
        WHERE project_id = :project AND day >= :first AND day <= :last AND {_active(scope)}
        """,
        ["at", "day"],
        {"project": scope.project.id, "first": first, "last": last},
    )


async def only_first(scope: Scope, kind: Kind, first: date, rows: Rows) -> Rows:
    """Of the marks since a local day the earliest of each person, of those alone who have none before."""
    before = await earlier_people(scope, kind, first, rows)
    return await asyncio.to_thread(_firsts, rows, before)


def _firsts(rows: Rows, before: Rows) -> Rows:
    """The earliest mark of each person who is not among those before."""
    people, [person, earlier] = numbered_people(rows, before)
    known = np.zeros(len(people), np.bool_)
    known[earlier] = True
    new = np.flatnonzero(~known[person])
    order = new[np.lexsort((rows["at"][new], rows["day"][new], person[new]))]
    return rows.having(order[first_of_each(person[order])])


async def firsts(scope: Scope, kind: Kind, first: date, last: date) -> Rows:
    """First times ever of a type of event within the days, also of those whose earlier events retention has removed."""
    since, until = scope.stretch(first, last)
    binds = Binds()
    people = "".join(f" AND {people.sql(scope, 'f.person_id', binds)}" for people in scope.people)
    bots = "_with_bots" if scope.include_bots else ""
    # `first_at`, which has the index, is of bots alone NULL, and never before `first_at_with_bots`.
    bound = "(first_at >= :since OR first_at IS NULL)" if scope.include_bots else "first_at >= :since"
    rows = await copy_rows(
        scope.connection,
        f"""
        SELECT person_id, first_at{bots} AS at FROM person_firsts f
        WHERE project_id = :project AND event_type = :type AND {bound}
          AND first_at{bots} >= :since AND first_at{bots} < :until{people}
        """,
        ["at"],
        {
            **binds.parameters,
            "project": scope.project.id,
            "type": kind.event_type,
            "since": since,
            "until": until,
        },
    )
    return Rows(rows.ids, {"at": rows["at"], "day": local_days(rows["at"], EPOCH, since, until, scope.zone)})


async def earlier_people(scope: Scope, kind: Kind, first: date, rows: Rows) -> Rows:
    """Who of those with a mark did it before a local day, and perhaps others.

    Asked of the rollups, which keep what retention removes, unless there are filters: by these nothing is kept.
    """
    since = start_of_day(first, scope.zone)
    if in_firsts(scope, kind):
        return await asyncio.to_thread(_without, rows, await firsts(scope, kind, first, scope.today))
    if kind != _ANY or not scope.whole:
        return await _did_before(scope, kind, first, rows)
    day = local_day(since, scope.project.zone)
    begun = start_of_day(day, scope.project.zone)
    known = await _active_before(scope, day)
    if begun == since:
        return known
    rest = await _did(scope, kind, begun, since)
    return Rows(np.concatenate([known.ids, rest.ids], axis=1), {})


async def _did_before(scope: Scope, kind: Kind, first: date, rows: Rows) -> Rows:
    """The events of the type are gone through month by month before, then person by person until one is found: what costs less."""
    since = start_of_day(first, scope.zone)
    [counted] = await fetch(
        scope.connection,
        """
        SELECT coalesce(sum(events), 0) AS everything,
               coalesce(sum(events) FILTER (WHERE event_type = :type OR CAST(:type AS text) IS NULL), 0) AS of_type,
               coalesce(sum(events) FILTER (
                   WHERE day >= :lately AND (event_type = :type OR CAST(:type AS text) IS NULL)), 0) AS recent, min(day) AS began
        FROM event_days WHERE project_id = :project AND day <= :first
        """,
        {"project": scope.project.id, "first": first, "lately": first - LATELY, "type": kind.event_type},
    )
    people, _ = await asyncio.to_thread(numbered_people, rows)
    everything, of_type, recent = (int(number) for number in counted[:3])
    rest = Rows(people.ids, {})
    if not of_type:
        return Rows(people.ids[:, :0], {})
    # Whoever did it before is found after as many of their events as are one of the type.
    lookup = LOOKUP + RANDOM_READ * everything / of_type
    found: list[Rows] = []
    stretch = LATELY
    while (
        lookup * len(rest) > recent * (stretch / LATELY)
        and local_day(since, scope.project.zone) >= counted.began
    ):
        found.append(await _did(scope, kind, since - stretch, since))
        since -= stretch
        # Most of those who are left now did it long ago.
        stretch *= 2
        rest = await asyncio.to_thread(_without, rest, found[-1])
    found.append(await _did_each(scope, kind, since, rest))
    return Rows(np.concatenate([each.ids for each in found], axis=1), {})


def _without(people: Rows, others: Rows) -> Rows:
    """Those of some persons, each once, who are not among others."""
    everybody, [_, known] = numbered_people(people, others)
    kept = np.ones(len(everybody), np.bool_)
    kept[known] = False
    return Rows(everybody.ids[:, kept], {})


async def _did_each(scope: Scope, kind: Kind, until: datetime, people: Rows) -> Rows:
    """Who of some persons did it before an instant: the events of each from the first on, until one is found."""
    ids = await asyncio.to_thread(People(people.ids).uuids, np.arange(len(people)))
    statement = Statement(scope, _BEFORE_ALL, until)
    statement.only(statement.kind(kind))
    statement.only("""e.occurred_at >= known.first_seen_at AND e.person_id = ANY (ARRAY(
        SELECT known.person_id UNION ALL SELECT person_id FROM person_merges WHERE canonical_id = known.person_id))""")
    found = f"(SELECT true {statement.source()} LIMIT 1)"
    # Those who were not here before are known without looking at any event.
    return await copy_rows(
        scope.connection,
        f"""
        SELECT known.person_id FROM persons known
        WHERE known.person_id = ANY (CAST(:people AS uuid[])) AND known.first_seen_at < :known_before AND {found}
        """,
        [],
        statement.parameters(people=ids, known_before=until),
    )


async def _did(scope: Scope, kind: Kind, since: datetime, until: datetime) -> Rows:
    statement = Statement(scope, since, until)
    statement.only_types_of([kind])
    statement.only(statement.kind(kind))
    select = f"SELECT DISTINCT {statement.PERSON} AS person_id {statement.source()}"
    return await copy_rows(scope.connection, select, [], statement.parameters())


async def _active_before(scope: Scope, day: date) -> Rows:
    """Who of those that were active since was active before a day of the project."""
    bots = "_with_bots" if scope.include_bots else ""
    parameters: dict[str, Any] = {"project": scope.project.id, "day": day}
    # Whoever was here before was active on the first day, unless nothing on it made them active: these few are looked up one by
    # one (a subquery with LIMIT, because a join would read the days of everybody).
    return await copy_rows(
        scope.connection,
        f"""
        WITH idle AS MATERIALIZED (
            SELECT person_id, day FROM person_days WHERE project_id = :project AND day < :day AND NOT active
        )
        SELECT p.person_id FROM persons p
        LEFT JOIN idle ON idle.person_id = p.person_id AND idle.day = p.first_day{bots}
        WHERE project_id = :project AND first_day{bots} < :day AND last_active_day{bots} >= :day
          AND (idle.person_id IS NULL
               OR (SELECT true FROM person_days d
                   WHERE d.person_id = p.person_id AND d.project_id = :project AND d.day < :day AND {_active(scope)} LIMIT 1))
        """,
        [],
        parameters,
    )
