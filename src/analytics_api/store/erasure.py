"""Erasing and anonymising: events with all that was made of them, piece by piece.

Every function is called in a transaction under the rollup reader's lease (rollup_turn.py); `upto` is how far the rollups are
counted. What is not counted yet is counted later, without what has gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.erasure import PersonIds
from analytics_api.domain.event import SYSTEM_TYPES
from analytics_api.domain.identity import person_of
from analytics_api.domain.project import Project
from analytics_api.store.chunk_table import any_sealed, empty_chunk
from analytics_api.store.erased_traces import (
    DELETION,
    correct_days,
    remove_entries,
    remove_traces,
    rename_entries,
)
from analytics_api.store.event_choice import EventChoice
from analytics_api.store.identity import Pair, Regrouping, keep_links, regroup, said_in, sent_ids
from analytics_api.store.log import Chunk
from analytics_api.store.moving import count_last_active, move_persons
from analytics_api.store.recount import count_again
from analytics_api.store.rollups import mark_dirty

EVENTS_PER_STEP = 5_000
PERSONS_PER_STEP = 200
ANONYMOUS = "anon:"
"""What ids begin with that stand for those of anonymised events."""
_COARSE = ("browser", "browser_version", "os", "device", "bot", "country", "source", "locale")
"""Fields of the context that anonymised events keep: each is shared by very many."""

_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

OF_PERSON = (
    "event_keys", "parked_events", "dead_events", "single_attempts", "sandbox_payloads", "quarantined_events", "payments",
    "subscription_changes", "consent_changes", "cohort_members", "person_days", "person_firsts", "sessions",
    "persons",
)  # fmt: skip
"""Tables whose rows name a person by `person_id`, beside the log and the links."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which events: those of persons, or chosen ones with numbers up to `upto`."""

    persons: frozenset[UUID] = frozenset()
    choice: EventChoice | None = None
    upto: int = 2**63 - 1

    def where(self, project: Project, after: int, values: list[object]) -> str:
        """An SQL condition on `events` for those behind a number; its values are put behind `values`."""
        if self.choice is None:
            values += [project.id, list(self.persons), after]
            number = len(values)
            return (
                f"project_id = ${number - 2} AND person_id = ANY (${number - 1}::uuid[]) AND seq > ${number}"
            )
        everything = Chunk(project.id, after, self.upto, _EARLIEST, _LATEST)
        narrow = self.choice.narrow(everything)
        if narrow is None:
            return "false"
        return self.choice.where(project, narrow, values)


@dataclass(slots=True)
class Step:
    """What one step removed or changed."""

    events: int = 0
    last_seq: int = 0
    days: set[date] = field(default_factory=set)
    sealed_days: set[date] = field(default_factory=set)
    persons: set[UUID] = field(default_factory=set)
    identity: bool = False
    """Whether what ids have to do with each other was among it."""


async def person_group(
    connection: asyncpg.Connection, project: Project, user_id: str | None, anonymous_id: str | None
) -> set[UUID]:
    """The person of that id and everybody who counts as the same one, as events were sent for them."""
    person, _ = person_of(project.namespace, user_id, anonymous_id, project.namespace)
    canonical = await connection.fetchval(
        "SELECT canonical_id FROM person_merges WHERE person_id = $1", person
    )
    return {person, *await sent_ids(connection, [canonical or person])}


async def ids_of(connection: asyncpg.Connection, project: Project, persons: Collection[UUID]) -> PersonIds:
    """Under which ids events of persons were sent."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT user_id, anonymous_id FROM events WHERE project_id = $1 AND person_id = ANY ($2::uuid[])
        UNION SELECT user_id, anonymous_id FROM persons WHERE project_id = $1 AND person_id = ANY ($2::uuid[])
        """,
        project.id,
        list(persons),
    )
    return PersonIds(
        tuple(sorted({row["user_id"] for row in rows} - {None})),
        tuple(sorted({row["anonymous_id"] for row in rows} - {None})),
    )


async def count_rows(
    connection: asyncpg.Connection, project: Project, persons: Collection[UUID]
) -> dict[str, int]:
    """How many rows of each table there are of persons."""
    parts = [
        "SELECT 'events' AS of, count(*) AS rows FROM events WHERE project_id = $1 AND person_id = ANY ($2::uuid[])",
        "SELECT 'person_links', count(*) FROM person_links WHERE project_id = $1 "
        "AND (person_id = ANY ($2::uuid[]) OR other_id = ANY ($2::uuid[]))",
        *(
            f"SELECT '{table}', count(*) FROM {table} WHERE person_id = ANY ($2::uuid[])"
            for table in OF_PERSON
        ),
    ]
    rows = await connection.fetch(" UNION ALL ".join(parts), project.id, list(persons))
    return {row["of"]: row["rows"] for row in rows}


async def count_choice(connection: asyncpg.Connection, project: Project, scope: Scope) -> dict[str, int]:
    """How many events are chosen, and of how many persons."""
    values: list[object] = []
    where = scope.where(project, 0, values)
    rows = await connection.fetch(
        f"SELECT count(*) AS events, count(DISTINCT person_id) FILTER (WHERE has_person) AS persons FROM events WHERE {where}",
        *values,
    )
    return dict(rows[0])


_DELETE = """
    WITH doomed AS MATERIALIZED (
        SELECT person_id, occurred_at, seq FROM events WHERE {where} ORDER BY seq LIMIT {limit}
    )
    DELETE FROM events e USING doomed d
    WHERE (e.person_id, e.occurred_at, e.seq) = (d.person_id, d.occurred_at, d.seq)
    RETURNING e.seq, e.person_id, e.has_person, e.event_id, e.event_type, e.is_bot, e.occurred_at
"""

_REWRITE = """
    WITH doomed AS MATERIALIZED (
        SELECT person_id, occurred_at, seq FROM events WHERE {where} ORDER BY seq LIMIT {limit}
    ), gone AS (
        DELETE FROM events e USING doomed d
        WHERE (e.person_id, e.occurred_at, e.seq) = (d.person_id, d.occurred_at, d.seq)
        RETURNING e.*
    ), kept AS (
        INSERT INTO events (seq, project_id, event_id, person_id, has_person, is_bot, trusted, user_id, anonymous_id,
            session_id, event_type, event_data, user_properties, context, revenue, currency, occurred_at, received_at)
        SELECT seq, project_id, event_id,
            CASE WHEN has_person THEN md5({secret} || coalesce(canonical_id, person_id)::text)::uuid ELSE person_id END,
            has_person, is_bot, trusted, NULL,
            CASE WHEN has_person THEN '{prefix}' || md5({secret} || coalesce(anonymous_id, person_id::text)) END,
            CASE WHEN session_id IS NOT NULL THEN md5({secret} || session_id) END,
            event_type, event_data, NULL,
            coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(context) WHERE key = ANY ({coarse})), '{{}}'),
            revenue, currency, occurred_at, received_at
        FROM gone LEFT JOIN (SELECT person_id, canonical_id FROM person_merges) AS merged USING (person_id)
        WHERE event_type <> ALL ({system})
    )
    SELECT seq, person_id, has_person, event_id, event_type, is_bot, occurred_at FROM gone
"""


async def erase_step(
    connection: asyncpg.Connection,
    project: Project,
    scope: Scope,
    after: int,
    upto: int,
    now: datetime,
    *,
    secret: str | None = None,
    limit: int = EVENTS_PER_STEP,
) -> Step:
    """Erase the next events behind number `after`; with a `secret`, anonymise them: new ids are made of the old ones with it.

    Counts by day are corrected at once; what is kept by person is `recount_persons`' to correct.
    """
    values: list[object] = []
    where = scope.where(project, after, values)
    if secret is None:
        rows = await connection.fetch(_DELETE.format(where=where, limit=limit), *values)
        gone = rows
    else:
        values += [secret, list(_COARSE), list(SYSTEM_TYPES)]
        sql = _REWRITE.format(
            where=where,
            limit=limit,
            secret=f"${len(values) - 2}::text",
            coarse=f"${len(values) - 1}::text[]",
            system=f"${len(values)}::text[]",
            prefix=ANONYMOUS,
        )
        rows = await connection.fetch(sql, *values)
        gone = [row for row in rows if row["event_type"] in SYSTEM_TYPES]
    if not rows:
        return Step(last_seq=after)
    step = Step(len(rows), max(row["seq"] for row in rows))
    step.identity = any(row["event_type"] in SYSTEM_TYPES for row in rows)
    step.persons = {row["person_id"] for row in rows if row["has_person"]}
    await remove_traces(connection, project, rows)
    if secret is None:
        await remove_entries(connection, project, rows, upto, now)
    else:
        await rename_entries(connection, project, rows, secret)
    step.days, step.sealed_days = await correct_days(connection, project, rows, gone, upto, now)
    return step


async def recount_persons(
    connection: asyncpg.Connection,
    project: Project,
    persons: Collection[UUID],
    upto: int,
    now: datetime,
    *,
    secret: str | None = None,
) -> None:
    """Count persons, given as they were sent, again from what is left of their events, and those that these now belong to."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT coalesce(canonical_id, person_id) AS person_id,
            CASE WHEN $2::text IS NOT NULL THEN md5($2 || coalesce(canonical_id, person_id)::text)::uuid END AS new_id
        FROM unnest($1::uuid[]) AS p (person_id) LEFT JOIN person_merges USING (person_id)
        """,
        list(persons),
        secret,
    )
    canonical = {row["person_id"] for row in rows}
    new = {row["new_id"] for row in rows} - {None}
    change = Regrouping(divided={one: one for one in canonical | new}, counted=canonical | new)
    await count_again(connection, project, change, upto, now, cause=DELETION)


async def forget_persons(
    connection: asyncpg.Connection, project: Project, persons: Collection[UUID], upto: int, now: datetime
) -> dict[str, int]:
    """Delete all that is kept by person of persons whose events have gone. Returns how many rows of each table."""
    group = list(persons)
    days = await connection.fetch(
        "SELECT DISTINCT day FROM person_days WHERE person_id = ANY ($1::uuid[])", group
    )
    await mark_dirty(connection, project, {row["day"] for row in days}, now, DELETION)
    await count_last_active(connection, project, group, -1)
    await _drop_empty_days(connection, project)
    removed = {}
    for table in OF_PERSON:
        status = await connection.execute(f"DELETE FROM {table} WHERE person_id = ANY ($1::uuid[])", group)
        removed[table] = int(status.rsplit(" ", 1)[1])
    removed["person_links"] = await _forget_links(connection, project, set(group), upto, now)
    return removed


async def _drop_empty_days(connection: asyncpg.Connection, project: Project) -> None:
    await connection.execute(
        "DELETE FROM last_active_days WHERE project_id = $1 AND persons = 0 AND persons_with_bots = 0",
        project.id,
    )


async def _forget_links(
    connection: asyncpg.Connection, project: Project, group: set[UUID], upto: int, now: datetime
) -> int:
    """Delete the links of persons, but for what others have said of them, as with a device that two persons use."""
    rows = await connection.fetch(
        "DELETE FROM person_links WHERE person_id = ANY ($1::uuid[]) OR other_id = ANY ($1::uuid[]) RETURNING *",
        list(group),
    )
    outside = {id_ for row in rows for id_ in (row["person_id"], row["other_id"])} - group
    if outside:
        said = await connection.fetch(
            """
            SELECT event_type, user_id, anonymous_id, event_data, trusted, occurred_at FROM events
            WHERE project_id = $1 AND person_id = ANY ($2::uuid[]) AND event_type = ANY ($3) AND seq <= $4 AND has_person
              AND NOT EXISTS (SELECT 1 FROM rollup_failures f WHERE f.project_id = $1 AND f.seq = events.seq)
            """,
            project.id,
            list(outside),
            list(SYSTEM_TYPES),
            upto,
        )
        links = said_in(project, said)
        await keep_links(
            connection, project, [link for link in links if {link.person_id, link.other_id} & group]
        )
        if await any_sealed(connection, project):
            await _keep_held(connection, rows, group)
    pairs: list[Pair] = [(row["person_id"], row["other_id"], row["known"]) for row in rows]
    await follow(connection, project, await regroup(connection, project, pairs), upto, now)
    await connection.execute(
        """
        DELETE FROM person_merges WHERE person_id = ANY ($1::uuid[])
        AND NOT EXISTS (SELECT 1 FROM person_links l WHERE l.person_id = person_merges.person_id)
        """,
        list(group),
    )
    return len(rows)


async def _keep_held(
    connection: asyncpg.Connection, rows: Sequence[asyncpg.Record], group: set[UUID]
) -> None:
    """Of what others said in events that retention has removed only the links themselves are left."""
    kept = [tuple(row) for row in rows if not {row["person_id"], row["other_id"]} <= group]
    await connection.executemany(
        "INSERT INTO person_links VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (person_id, other_id) DO NOTHING",
        kept,
    )


async def follow(
    connection: asyncpg.Connection, project: Project, change: Regrouping, upto: int, now: datetime
) -> None:
    """Bring the rollups after a change of who is who."""
    if change.counted:
        await count_again(connection, project, change, upto, now, cause=DELETION)
    if change.moves:
        await move_persons(connection, project, change, upto, now)
    await empty_chunk(connection)
    await _drop_empty_days(connection, project)
