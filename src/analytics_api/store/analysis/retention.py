"""When persons were born into a cohort and when they came back: from rollups where they know, else from events.

Rows are (person, `at`, `day`): microseconds, and days since 2000-01-01. From rollups `at` is 0 where nobody asks for it.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from analytics_api.domain.analysis.days import local_days
from analytics_api.store.analysis.columns import EPOCH, Rows, copy_rows, event_times
from analytics_api.store.analysis.scope import Kind, Scope, Statement
from analytics_api.store.filter_sql import Binds

_ANY = Kind()
MOST_NAMED = 20_000
"""Persons whose marks are asked for by id, rather than those of everybody."""
_IS_NAMED = "CASE WHEN {} IN (SELECT unnest({})) THEN {} ELSE false END"


def in_rollups(scope: Scope, kind: Kind) -> bool:
    """Whether `person_days` knows who did it on which day."""
    return kind == _ANY and scope.whole and scope.zone.key == scope.project.zone.key


def active_column(scope: Scope) -> str:
    """The column of `person_days` that says whether somebody was active."""
    return "active_with_bots" if scope.include_bots else "active"


async def marks(
    scope: Scope, kind: Kind, first: date, last: date, *, times: bool, among: Rows | None = None
) -> Rows:
    """Every day, or every time, at which persons did something from one local day to another; of others than `among` perhaps none."""
    cut = scope.cut and scope.stretch(first, last)[1] > scope.as_of
    if among is not None and len(among) > MOST_NAMED:
        among = None
    if in_rollups(scope, kind) and not times and not cut:
        return await _person_days(scope, first, last, among)
    statement = Statement(scope, *scope.stretch(first, last))
    await only_kind(statement, kind, among)
    rows = await event_times(statement)
    days = local_days(rows["time"], EPOCH, statement.since, statement.until, scope.zone)
    return Rows(rows.ids, {"at": rows["time"], "day": days})


async def only_kind(statement: Statement, kind: Kind, among: Rows | None) -> None:
    """Look at a kind of event alone, and at that of some persons when they are given."""
    if among is None:
        statement.only(statement.kind(kind))
        return
    if kind.event_type is not None:
        # By itself, so that an index finds it.
        statement.only(statement.kind(Kind(kind.event_type)))
    ids = statement.binds.bind(await _with_merged(statement.scope, among), "uuid[]")
    # A hashed table in front of the JSON and of the join that tells whose an event is. A join would come behind both, and be planned
    # as if there were 200 persons.
    statement.only(_IS_NAMED.format("e.person_id", ids, statement.kind(kind)))


async def _with_merged(scope: Scope, people: Rows) -> Rows:
    """Persons and those who have become one with them."""
    merged = await copy_rows(
        scope.connection,
        "SELECT person_id FROM person_merges WHERE canonical_id IN (SELECT unnest(CAST(:people AS uuid[])))",
        [],
        {"people": people},
    )
    return Rows(np.concatenate([people.ids, merged.ids], axis=1), {})


async def _person_days(scope: Scope, first: date, last: date, among: Rows | None) -> Rows:
    # As a join it would be planned as a look-up of each: a millisecond a person from disk, against 0.2 s for a month of everybody.
    named = "" if among is None else f"AND {_IS_NAMED.format('person_id', 'CAST(:among AS uuid[])', 'true')}"
    return await copy_rows(
        scope.connection,
        f"""
        SELECT person_id, 0::bigint AS at, (day - DATE '2000-01-01')::bigint AS day FROM person_days
        WHERE project_id = :project AND day >= :first AND day <= :last AND {active_column(scope)} {named}
        """,
        ["at", "day"],
        {"project": scope.project.id, "first": first, "last": last, "among": among},
    )


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
