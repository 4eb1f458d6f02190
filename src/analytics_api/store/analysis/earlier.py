"""Who did something before the days of a question: from rollups where they know, else from events.

docs/decisions/0011-analysis-in-memory.md has what each way costs.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics_api.domain.analysis.stream import first_of_each
from analytics_api.domain.filters import AllOf
from analytics_api.domain.period import local_day, start_of_day
from analytics_api.store.analysis.columns import EPOCH, MOST_ROWS, Rows, copy_rows, numbered_people
from analytics_api.store.analysis.retention import active_column, firsts, only_kind
from analytics_api.store.analysis.scope import Kind, Scope, Statement, in_firsts
from analytics_api.store.statements import fetch

_ANY = Kind()
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=EPOCH.tzinfo)
LATELY = timedelta(days=30)
"""Most of those who do something often did it within so many days before, too."""
READ = 0.1
"""Microseconds for an event that is gone past."""
NAMED = 5
"""Rows received when nobody in particular is looked for that cost as much as looking for one person by id."""
LOOKUP = 100
"""Microseconds for finding a person in all partitions."""
RANDOM_READ = 5
"""Microseconds for each of a person's events: 2 in PostgreSQL's own memory, 10 and more when it has to ask for the page."""
MANY = 100
"""Events of a person of whom nothing is known but that they are active."""
PLENTY = 1_000_000
"""Rows that are counted once a person by PostgreSQL. Fewer it sends faster than it sorts them out."""


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
    """Who of those with a mark did it before a local day, by its events.

    Stretches before the day are gone through, each twice as long, until all are found or it costs less to look for those who are left.
    """
    since = start_of_day(first, scope.zone)
    # All that is asked of an event is one filter. Who has a mark belongs to the groups.
    wanted = Kind(kind.event_type, AllOf((*kind.filters.parts, *scope.filters.parts)))
    scope = replace(scope, filters=AllOf(), people=())
    people = await asyncio.to_thread(_without, rows, await _new_people(scope, kind, first))
    missing = np.ones(len(people), np.bool_)
    days = await _counted_days(scope, kind)
    share = len(rows) / max(1, sum(day.wanted for day in days if day.day >= first))
    # Passing a row on from another process costs a tenth of what PostgreSQL reckons, and most rows are not passed on.
    await fetch(scope.connection, "SELECT set_config('parallel_tuple_cost', '0.01', true)", {})
    stretch = LATELY
    while missing.any():
        days = [day for day in days if day.day <= local_day(since, scope.project.zone)]
        everything, of_type = sum(day.events for day in days), sum(day.wanted for day in days)
        if not of_type:
            break
        left = people.having(missing)
        # Who has not been found yet has few events that could have been it.
        each = LOOKUP + RANDOM_READ * min(MANY, everything / of_type / share)
        if each * len(left) < READ * everything:
            found = await _did_each(scope, wanted, since, left)
            days = []
        else:
            begin = local_day(since - stretch, scope.project.zone)
            most = sum(day.wanted for day in days if day.day >= begin)
            among = left if NAMED * len(left) < share * most else None
            distinct = share * most > PLENTY or most > MOST_ROWS
            found = await _did(scope, wanted, since - stretch, since, among, distinct=distinct)
            since -= stretch
            # Most of those who are left now did it long ago, or never.
            stretch *= 2
        missing &= ~await asyncio.to_thread(_among, people, found)
    return people.having(~missing)


async def _counted_days(scope: Scope, kind: Kind) -> list[Any]:
    """The events of all days, and those `wanted` that are of a type."""
    return await fetch(
        scope.connection,
        """
        SELECT day, CAST(sum(events) AS bigint) AS events,
               CAST(coalesce(sum(events) FILTER (WHERE event_type = :type OR CAST(:type AS text) IS NULL), 0) AS bigint) AS wanted
        FROM event_days WHERE project_id = :project GROUP BY day
        """,
        {"project": scope.project.id, "type": kind.event_type},
    )


async def _new_people(scope: Scope, kind: Kind, first: date) -> Rows:
    """Persons who did nothing of a type, whatever the filters, before a local day: nobody else need be looked for."""
    if kind.event_type is not None:
        return await firsts(replace(scope, filters=AllOf()), Kind(kind.event_type), first, scope.today)
    day = local_day(start_of_day(first, scope.zone), scope.project.zone)
    return await copy_rows(
        scope.connection,
        "SELECT person_id FROM persons WHERE project_id = :project AND first_day_with_bots > :day",
        [],
        {"project": scope.project.id, "day": day},
    )


def _among(people: Rows, others: Rows) -> NDArray[np.bool_]:
    """Which of some persons are among others."""
    everybody, [person, other] = numbered_people(people, others)
    known = np.zeros(len(everybody), np.bool_)
    known[other] = True
    return known[person]


def _without(people: Rows, others: Rows) -> Rows:
    """Those of some persons, each once, who are not among others."""
    everybody, _ = numbered_people(people)
    each = Rows(everybody.ids, {})
    return each.having(~_among(each, others))


async def _did_each(scope: Scope, kind: Kind, until: datetime, people: Rows) -> Rows:
    """Who of some persons did it before an instant: the events of each from the first on, until one is found."""
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
        statement.parameters(people=people, known_before=until),
    )


async def _did(
    scope: Scope,
    kind: Kind,
    since: datetime,
    until: datetime,
    among: Rows | None = None,
    *,
    distinct: bool = False,
) -> Rows:
    """Who did it within a time, of all, or of some persons and few others; each perhaps several times."""
    statement = Statement(scope, since, until)
    await only_kind(statement, kind, among)
    select = f"SELECT {'DISTINCT ' * distinct}{statement.PERSON} AS person_id {statement.source()}"
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
                   WHERE d.person_id = p.person_id AND d.project_id = :project AND d.day < :day AND {active_column(scope)} LIMIT 1))
        """,
        [],
        parameters,
    )
