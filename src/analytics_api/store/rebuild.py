"""Rollups replaced by what the log says. Each function is one step, in the caller's transaction under the reader's lease.

`upto` is the last sequence number that is counted. Events of sealed days are gone and so are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import asyncpg

from analytics_api.domain.period import start_of_day
from analytics_api.domain.project import Project
from analytics_api.store.chunk_table import COUNTED, MONEY_TYPES, empty_chunk, fill_chunk
from analytics_api.store.identity import Regrouping
from analytics_api.store.metrics.days import REBUILD
from analytics_api.store.recount import count_again
from analytics_api.store.rollups import PAYMENTS, mark_dirty
from analytics_api.store.subscriptions import roll_up_subscriptions

_SPARE = timedelta(hours=2)
"""Around local days, should Python and PostgreSQL not agree when one begins."""
_PASSING = "recount"
"""Cause of marks that are taken back at once: only days that turn out different stay marked."""


async def days_to_rebuild(
    connection: asyncpg.Connection, project: Project, first: date | None, last: date
) -> tuple[list[date], int]:
    """The days from `first` (None: the first there is) to `last` that are not sealed, and how many are."""
    earliest: date | None = await connection.fetchval(
        """
        SELECT least(
            (SELECT min(day) FROM event_days WHERE project_id = $1),
            (SELECT min((lower AT TIME ZONE $2)::date) FROM (
                SELECT lower FROM event_groups WHERE project_id = $1
                UNION ALL SELECT lower FROM partition_ranges WHERE project_id = $1) AS held))
        """,
        project.id,
        project.zone.key,
    )
    if earliest is None:
        return [], 0
    begin = earliest if first is None else max(first, earliest)
    rows = await connection.fetch(
        "SELECT day FROM project_days WHERE project_id = $1 AND state = 'sealed' AND day BETWEEN $2 AND $3",
        project.id,
        begin,
        last,
    )
    sealed = {row["day"] for row in rows}
    days = (begin + timedelta(days=n) for n in range((last - begin).days + 1))
    return [day for day in days if day not in sealed], len(sealed)


def _bounds(project: Project, days: Sequence[date]) -> tuple[datetime, datetime]:
    """From before the first of the days to after the last."""
    return (
        start_of_day(days[0], project.zone) - _SPARE,
        start_of_day(days[-1] + timedelta(days=1), project.zone) + _SPARE,
    )


async def _unsealed(connection: asyncpg.Connection, project: Project, days: Sequence[date]) -> list[date]:
    """Those that retention has not sealed since the rebuild began."""
    rows = await connection.fetch(
        "SELECT day FROM project_days WHERE project_id = $1 AND state = 'sealed' AND day = ANY ($2::date[])",
        project.id,
        list(days),
    )
    sealed = {row["day"] for row in rows}
    return [day for day in days if day not in sealed]


# Days


async def replace_event_days(
    connection: asyncpg.Connection, project: Project, days: Sequence[date], upto: int, now: datetime
) -> set[date]:
    """Count the events of some days, given in order. Returns the days that were different; closed ones are marked."""
    days = await _unsealed(connection, project, days)
    if not days:
        return set()
    lower, upper = _bounds(project, days)
    rows = await connection.fetch(
        """
        WITH counted AS MATERIALIZED (
            SELECT (occurred_at AT TIME ZONE $2)::date AS day, event_type, is_bot, count(*) AS events FROM events
            WHERE project_id = $1 AND occurred_at >= $4 AND occurred_at < $5 AND seq <= $6
              AND (occurred_at AT TIME ZONE $2)::date = ANY ($3::date[])
              AND NOT EXISTS (SELECT 1 FROM rollup_failures f WHERE f.project_id = $1 AND f.seq = events.seq)
            GROUP BY 1, 2, 3
        ), gone AS (
            DELETE FROM event_days held WHERE project_id = $1 AND day = ANY ($3::date[]) AND NOT EXISTS (
                SELECT 1 FROM counted c
                WHERE (c.day, c.event_type, c.is_bot) = (held.day, held.event_type, held.is_bot))
            RETURNING day
        ), written AS (
            INSERT INTO event_days AS held (project_id, day, event_type, is_bot, events)
            SELECT $1, day, event_type, is_bot, events FROM counted ORDER BY day, event_type, is_bot
            ON CONFLICT (project_id, day, event_type, is_bot) DO UPDATE SET events = excluded.events
            WHERE held.events <> excluded.events
            RETURNING day
        )
        SELECT day FROM gone UNION SELECT day FROM written
        """,
        project.id,
        project.zone.key,
        list(days),
        lower,
        upper,
        upto,
    )
    changed = {row["day"] for row in rows}
    await mark_dirty(connection, project, changed, now, REBUILD)
    return changed


# Ledgers

_MONEY = f"""
    occurred_at >= $6 AND occurred_at < $7 AND (occurred_at AT TIME ZONE $2)::date = ANY ($8)
    AND (event_type = ANY ($9) OR revenue IS NOT NULL) AND {COUNTED.format(upto="$5")}
"""

_LEDGER_DAYS = """
    SELECT day, md5(string_agg(entry, ' ' ORDER BY entry)) AS digest FROM (
        SELECT day, payments::text AS entry FROM payments WHERE project_id = $1 AND day = ANY ($2::date[])
        UNION ALL
        SELECT (occurred_at AT TIME ZONE $3)::date, c::text FROM subscription_changes c
        WHERE project_id = $1 AND (occurred_at AT TIME ZONE $3)::date = ANY ($2::date[])
    ) AS entries GROUP BY day
"""


async def replace_ledgers(
    connection: asyncpg.Connection, project: Project, days: Sequence[date], upto: int, now: datetime
) -> set[date]:
    """Make the entries of payments and subscriptions of some days. Returns the days that were different.

    All at once, because of entries that were sent twice the first counts. Persons' first payments are made with them.
    """
    days = await _unsealed(connection, project, days)
    if not days:
        return set()
    scope = project.id, list(days), project.zone.key
    before = await _by_day(connection, _LEDGER_DAYS, *scope)
    await connection.execute(
        "DELETE FROM payments WHERE project_id = $1 AND day = ANY ($2::date[])", *scope[:2]
    )
    await connection.execute(
        """
        DELETE FROM subscription_changes
        WHERE project_id = $1 AND (occurred_at AT TIME ZONE $3)::date = ANY ($2::date[])
        """,
        *scope,
    )
    await fill_chunk(
        connection, project, _MONEY, upto, *_bounds(project, days), list(days), list(MONEY_TYPES)
    )
    await connection.execute(PAYMENTS.sql, project.id, project.currency)
    await roll_up_subscriptions(connection, project)
    await empty_chunk(connection)
    changed = _different(before, await _by_day(connection, _LEDGER_DAYS, *scope))
    await mark_dirty(connection, project, changed, now, REBUILD)
    return changed


async def _by_day(connection: asyncpg.Connection, sql: str, *scope: object) -> dict[date, str]:
    return {row["day"]: row["digest"] for row in await connection.fetch(sql, *scope)}


def _different(before: dict[date, str], after: dict[date, str]) -> set[date]:
    return {day for day in before.keys() | after.keys() if before.get(day) != after.get(day)}


# Persons


async def find_persons(connection: asyncpg.Connection, project: Project, days: Sequence[date]) -> int:
    """Keep who has something on some days, for `replace_persons`. Not to be called inside a transaction."""
    await connection.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS rebuilt_persons (person_id uuid PRIMARY KEY)"
    )
    await connection.execute("TRUNCATE rebuilt_persons")
    status = await connection.execute(
        """
        INSERT INTO rebuilt_persons
        SELECT person_id FROM person_days WHERE project_id = $1 AND day = ANY ($2::date[])
        UNION
        SELECT person_id FROM sessions WHERE project_id = $1 AND day = ANY ($2::date[])
        UNION
        SELECT person_id FROM persons WHERE project_id = $1 AND first_day_with_bots = ANY ($2::date[])
        UNION
        SELECT person_id FROM events
        WHERE project_id = $1 AND occurred_at >= $3 AND occurred_at < $4 AND has_person
          AND (occurred_at AT TIME ZONE $5)::date = ANY ($2::date[])
        """,
        project.id,
        list(days),
        *_bounds(project, days),
        project.zone.key,
    )
    return int(status.rsplit(" ", 1)[1])


_PERSONS_DAYS = """
    SELECT day, md5(string_agg(fact, ' ' ORDER BY fact)) AS digest FROM (
        SELECT day, person_days::text AS fact FROM person_days WHERE person_id = ANY ($1::uuid[])
        UNION ALL
        SELECT day, sessions::text FROM sessions WHERE person_id = ANY ($1::uuid[])
        UNION ALL
        SELECT known.day, concat_ws(' ', p.person_id, p.first_day, p.first_day_with_bots, p.first_signup_at,
                                    p.first_payment_at, p.last_active_day, p.last_active_day_with_bots)
        FROM persons p, LATERAL unnest(ARRAY[p.first_day_with_bots, p.first_day, p.first_signup_day,
                                             (p.first_payment_at AT TIME ZONE $2)::date]) AS known (day)
        WHERE p.person_id = ANY ($1::uuid[]) AND known.day IS NOT NULL
    ) AS facts GROUP BY day
"""


async def replace_persons(
    connection: asyncpg.Connection, project: Project, after: UUID, limit: int, upto: int, now: datetime
) -> tuple[UUID, int, set[date]]:
    """Count the next `limit` persons of `find_persons` again.

    Returns the last of them, how many they were and the days on which something was different.
    """
    rows = await connection.fetch(
        """
        SELECT person_id, coalesce(canonical_id, person_id) AS canonical_id
        FROM (SELECT person_id FROM rebuilt_persons WHERE person_id > $1 ORDER BY person_id LIMIT $2) AS batch
        LEFT JOIN person_merges USING (person_id) ORDER BY person_id
        """,
        after,
        limit,
    )
    if not rows:
        return after, 0, set()
    divided = {row[id_]: row["canonical_id"] for row in rows for id_ in ("person_id", "canonical_id")}
    scope = list(divided), project.zone.key
    before = await _by_day(connection, _PERSONS_DAYS, *scope)
    change = Regrouping(divided=divided, counted=set(divided.values()))
    await count_again(connection, project, change, upto, now, cause=_PASSING)
    await connection.execute(
        "DELETE FROM dirty_days WHERE project_id = $1 AND cause = $2", project.id, _PASSING
    )
    changed = _different(before, await _by_day(connection, _PERSONS_DAYS, *scope))
    await mark_dirty(connection, project, changed, now, REBUILD)
    return rows[-1]["person_id"], len(rows), changed


async def replace_last_active_days(
    connection: asyncpg.Connection, project: Project, *, upto: int, now: datetime
) -> None:
    """Count persons by the last day they were active."""
    await connection.execute(
        """
        WITH counted AS MATERIALIZED (
            SELECT day, sum(persons) AS persons, sum(with_bots) AS with_bots FROM (
                SELECT last_active_day AS day, 1 AS persons, 0 AS with_bots FROM persons WHERE project_id = $1
                UNION ALL
                SELECT last_active_day_with_bots, 0, 1 FROM persons WHERE project_id = $1
            ) AS each WHERE day IS NOT NULL GROUP BY day
        ), gone AS (
            DELETE FROM last_active_days held
            WHERE project_id = $1 AND NOT EXISTS (SELECT 1 FROM counted c WHERE c.day = held.day)
        )
        INSERT INTO last_active_days (project_id, day, persons, persons_with_bots)
        SELECT $1, day, persons, with_bots FROM counted ORDER BY day
        ON CONFLICT (project_id, day) DO UPDATE SET
            persons = excluded.persons, persons_with_bots = excluded.persons_with_bots
        """,
        project.id,
    )


async def mark_rebuilt(
    connection: asyncpg.Connection, project: Project, days: Sequence[date], *, upto: int, now: datetime
) -> None:
    """Have the figures of some days made again, whether or not their rollups were different."""
    await mark_dirty(connection, project, days, now, REBUILD)
