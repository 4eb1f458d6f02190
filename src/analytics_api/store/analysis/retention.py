"""When persons were born into a cohort and when they came back: from rollups where they know, else from events.

Rows are (person, `at`, `day`): microseconds, and days since 2000-01-01. From rollups `at` is 0 where nobody asks for it.
"""

from __future__ import annotations

from datetime import date
from functools import reduce

from analytics_api.domain.analysis.days import local_days
from analytics_api.domain.filters import AllOf, asks_person
from analytics_api.store.analysis.columns import EPOCH, Rows, copy_rows, event_times
from analytics_api.store.analysis.named import may_be_one_of
from analytics_api.store.analysis.scope import Kind, Scope, Statement
from analytics_api.store.filter_sql import Binds

_ANY = Kind()


def in_rollups(scope: Scope, kind: Kind) -> bool:
    """Whether `person_days` knows who did it on which day."""
    return kind == _ANY and scope.whole and scope.zone.key == scope.project.zone.key


def active_column(scope: Scope) -> str:
    """The column of `person_days` that says whether somebody was active."""
    return "active_with_bots" if scope.include_bots else "active"


async def marks(
    scope: Scope, kind: Kind, first: date, last: date, *, times: bool, among: Rows | None = None
) -> Rows:
    """Every day, or every time, at which persons did something from one local day to another; of others than `among` not all."""
    cut = scope.cut and scope.stretch(first, last)[1] > scope.as_of
    if in_rollups(scope, kind) and not times and not cut:
        return await _person_days(scope, first, last, among)
    statement = Statement(scope, *scope.stretch(first, last))
    await only_kind(statement, kind, among)
    rows = await event_times(statement)
    days = local_days(rows["time"], EPOCH, statement.since, statement.until, scope.zone)
    return Rows(rows.ids, {"at": rows["time"], "day": days})


async def only_kind(statement: Statement, kind: Kind, among: Rows | None) -> None:
    """Look at a kind of event alone, and at that of some persons and few others when they are given."""
    of_event, of_person = (
        AllOf(tuple(part for part in kind.filters.parts if asks_person(part) is which))
        for which in (False, True)
    )
    steps = []
    if among is not None:
        steps.append(await may_be_one_of(statement.scope.connection, among, "e.person_id", statement.binds))
    if of_event.parts:
        steps.append(statement.filter(of_event))
    if kind.event_type is None:
        steps.append(statement.kind(_ANY))
    else:
        # By itself, so that an index finds it.
        statement.only(statement.kind(Kind(kind.event_type)))
    if steps:
        # In this order, whoever it is before any JSON: PostgreSQL asks for an `=` last, although it lets few events through.
        statement.only(
            reduce(lambda rest, step: f"CASE WHEN {step} THEN {rest} ELSE false END", reversed(steps))
        )
    if of_person.parts:
        # Behind the join that tells who it is.
        statement.only(statement.filter(of_person))


async def _person_days(scope: Scope, first: date, last: date, among: Rows | None) -> Rows:
    binds = Binds()
    named = "true"
    if among is not None:
        named = await may_be_one_of(scope.connection, among, "person_id", binds)
    return await copy_rows(
        scope.connection,
        f"""
        SELECT person_id, 0::bigint AS at, (day - DATE '2000-01-01')::bigint AS day FROM person_days
        WHERE project_id = :project AND day >= :first AND day <= :last AND {active_column(scope)} AND {named}
        """,
        ["at", "day"],
        {**binds.parameters, "project": scope.project.id, "first": first, "last": last},
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
