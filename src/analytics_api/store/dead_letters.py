"""Dead letters: events that a destination refused for good. Listed, grouped, put back into delivery, discarded.

A discarded one stays dead in the counts, with the reason `discarded`, and its row stays with the reason that was given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from analytics_api.domain.outcome import DeadKind, EndState
from analytics_api.store.deliveries import CountKey
from analytics_api.store.delivery_settling import add_counts
from analytics_api.store.engine import QUERY_TIMEOUT_MS
from analytics_api.store.replays import MARK, reopen, replay_key, split_key

ROWS_PER_ROUND = 10_000
MOST_GROUPS = 200
DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class DeadChoice:
    """Which dead letters: those that meet every condition that is given."""

    destination: str | None = None
    """Those of its live events and of its replays."""
    replay: int | None = None
    """Only those of this replay."""
    kind: DeadKind | None = None
    event_type: str | None = None
    text: str | None = None
    """What the words say somewhere, in whatever case."""
    since: datetime | None = None
    until: datetime | None = None
    """Times of death, the second not included."""
    event_ids: Sequence[UUID] | None = None
    discarded: bool | None = False
    """Whether those that were discarded; None: all."""

    def where(self, values: list[object]) -> str:
        """An SQL condition on `d`; its values are put behind `values`."""

        def put(value: object) -> str:
            values.append(value)
            return f"${len(values)}"

        parts = ["true"]
        if self.destination is not None:
            name = put(self.destination)
            parts.append(f"(d.destination = {name} OR starts_with(d.destination, {name} || '{MARK}'))")
        if self.replay is not None:
            parts.append(f"split_part(d.destination, '{MARK}', 2) = {put(str(self.replay))}")
        if self.kind is not None:
            parts.append(f"d.kind = {put(self.kind.value)}")
        if self.event_type is not None:
            parts.append(f"d.event_type = {put(self.event_type)}")
        if self.text is not None:
            parts.append(f"strpos(lower(d.reason), lower({put(self.text)})) > 0")
        if self.since is not None:
            parts.append(f"d.died_at >= {put(self.since)}")
        if self.until is not None:
            parts.append(f"d.died_at < {put(self.until)}")
        if self.event_ids is not None:
            parts.append(f"d.event_id = ANY ({put(self.event_ids)}::uuid[])")
        if self.discarded is not None:
            parts.append(f"d.discarded_at IS {'NOT ' if self.discarded else ''}NULL")
        return " AND ".join(parts)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead event as it is shown."""

    key: str
    """The destination, or that and the replay."""
    seq: int
    event_id: UUID
    event_type: str
    occurred_at: datetime
    died_at: datetime
    attempts: int
    kind: str
    reason: str
    discarded_at: datetime | None
    discard_reason: str | None

    @property
    def destination(self) -> str:
        """The destination's name."""
        return split_key(self.key)[0]

    @property
    def replay(self) -> int | None:
        """The replay that it died in; None: among the live events."""
        return split_key(self.key)[1]


async def dead_letters(
    connection: asyncpg.Connection,
    project_id: int,
    choice: DeadChoice,
    *,
    before: tuple[datetime, int, str] | None = None,
    limit: int,
) -> list[DeadLetter]:
    """Chosen ones, newest first; `before` is (died_at, seq, key) of the last one seen."""
    values: list[object] = [project_id, limit, *(before or (None, None, None))]
    rows = await connection.fetch(
        f"""
        SELECT d.destination, d.seq, d.event_id, d.event_type, d.occurred_at, d.died_at, d.attempts, d.kind, d.reason,
            d.discarded_at, d.discard_reason
        FROM dead_events d
        WHERE d.project_id = $1
          AND ($3::timestamptz IS NULL OR (d.died_at, d.seq, d.destination) < ($3, $4::bigint, $5::text))
          AND {choice.where(values)}
        ORDER BY d.died_at DESC, d.seq DESC, d.destination DESC LIMIT $2
        """,
        *values,
    )
    return [DeadLetter(*row.values()) for row in rows]


@dataclass(frozen=True, slots=True)
class DeadGroup:
    """Dead letters that died of the same, numbers and ids in the words aside."""

    key: str
    kind: str
    event_type: str
    reason: str
    """The words of one of them."""
    events: int
    first_died_at: datetime
    last_died_at: datetime
    total: int
    """Dead letters in all groups, those left off included."""


async def dead_groups(connection: asyncpg.Connection, project_id: int, choice: DeadChoice) -> list[DeadGroup]:
    """The chosen ones by destination, kind, event type and words, the largest groups first."""
    values: list[object] = [project_id, MOST_GROUPS]
    async with connection.transaction(readonly=True):
        await connection.execute(f"SET LOCAL statement_timeout = {QUERY_TIMEOUT_MS}")
        rows = await connection.fetch(
            f"""
            SELECT d.destination, d.kind, d.event_type, min(d.reason) AS reason, count(*) AS events,
                min(d.died_at) AS first_died_at, max(d.died_at) AS last_died_at,
                (sum(count(*)) OVER ())::bigint AS total
            FROM dead_events d WHERE d.project_id = $1 AND {choice.where(values)}
            GROUP BY d.destination, d.kind, d.event_type,
                regexp_replace(left(d.reason, 300), '[0-9a-fA-F-]{{8,}}|[0-9]+', '#', 'g')
            ORDER BY events DESC, last_died_at DESC LIMIT $2
            """,
            *values,
        )
    return [DeadGroup(*row.values()) for row in rows]


async def retry_dead(
    connection: asyncpg.Connection, project_id: int, destination: str, choice: DeadChoice, now: datetime
) -> int:
    """Park the chosen ones of a destination, so that the next run tries them again. Returns how many.

    Those of a replay go on in it, also when it was done; those of one that was cancelled or has failed stay.
    """
    chosen = replace(choice, destination=destination)
    total = 0
    while True:
        async with connection.transaction():
            closed = await _hold_replays(connection, project_id, destination)
            values: list[object] = [project_id, now, ROWS_PER_ROUND, closed]
            rows = await connection.fetch(_REVIVE.format(where=chosen.where(values)), *values)
            await _recount(connection, project_id, rows, back=True)
            replays = {split_key(row["destination"])[1] for row in rows}
            await reopen(connection, project_id, [number for number in replays if number is not None], now)
        total += len(rows)
        if len(rows) < ROWS_PER_ROUND:
            return total


async def _hold_replays(connection: asyncpg.Connection, project_id: int, destination: str) -> list[str]:
    """Let no replay to a destination end until the commit. Returns the keys of those that will not go on."""
    rows = await connection.fetch(
        "SELECT id, state FROM replays WHERE project_id = $1 AND destination = $2 ORDER BY id FOR UPDATE",
        project_id,
        destination,
    )
    return [replay_key(destination, row["id"]) for row in rows if row["state"] in ("cancelled", "failed")]


_REVIVE = """
    WITH chosen AS (
        SELECT d.destination, d.person_id, d.seq FROM dead_events d
        WHERE d.project_id = $1 AND d.destination <> ALL ($4::text[]) AND {where}
        ORDER BY d.seq LIMIT $3
    ), revived AS (
        DELETE FROM dead_events d USING chosen c
        WHERE d.project_id = $1 AND d.destination = c.destination AND d.person_id = c.person_id AND d.seq = c.seq
        RETURNING d.*
    ), parked AS (
        INSERT INTO parked_events (project_id, destination, person_id, seq, event_type, occurred_at, received_at,
            attempts, reason, parked_at, retry_at)
        SELECT $1, r.destination, r.person_id, r.seq, r.event_type, r.occurred_at, r.received_at, r.attempts,
            'retried by hand', $2,
            -- A person's parked events share one time.
            greatest($2, (SELECT max(p.retry_at) FROM parked_events p
                          WHERE p.project_id = $1 AND p.destination = r.destination AND p.person_id = r.person_id))
        FROM revived r
    )
    SELECT destination, event_type, received_at, discarded_at FROM revived
"""


async def discard_dead(
    connection: asyncpg.Connection,
    project_id: int,
    destination: str,
    choice: DeadChoice,
    reason: str,
    now: datetime,
) -> int:
    """Mark the chosen ones of a destination as looked at: they leave the list and stay dead. Returns how many."""
    chosen = replace(choice, destination=destination, discarded=False)
    total = 0
    while True:
        values: list[object] = [project_id, now, ROWS_PER_ROUND, reason]
        async with connection.transaction():
            rows = await connection.fetch(
                f"""
                UPDATE dead_events e SET discarded_at = $2, discard_reason = $4
                FROM (SELECT d.destination, d.person_id, d.seq FROM dead_events d
                      WHERE d.project_id = $1 AND {chosen.where(values)} ORDER BY d.seq LIMIT $3) c
                WHERE e.project_id = $1 AND e.destination = c.destination AND e.person_id = c.person_id
                  AND e.seq = c.seq AND e.discarded_at IS NULL
                RETURNING e.destination, e.event_type, e.received_at, NULL::timestamptz AS discarded_at
                """,
                *values,
            )
            await _recount(connection, project_id, rows, back=False)
        total += len(rows)
        if len(rows) < ROWS_PER_ROUND:
            return total


async def _recount(
    connection: asyncpg.Connection, project_id: int, rows: Sequence[asyncpg.Record], *, back: bool
) -> None:
    """Take events out of the dead; unless they go `back` into delivery, count them as discarded."""
    counts: dict[str, Counter[CountKey]] = {}
    for row in rows:
        of = counts.setdefault(row["destination"], Counter())
        where = (row["received_at"], row["event_type"], EndState.DEAD)
        of[CountKey.of(*where, DISCARDED if row["discarded_at"] is not None else "")] -= 1
        if not back:
            of[CountKey.of(*where, DISCARDED)] += 1
    for key in sorted(counts):
        await add_counts(connection, project_id, key, counts[key])


async def purge_dead(connection: asyncpg.Connection, before: datetime) -> int:
    """Forget dead letters that died before a time and whose events occurred before it. Returns how many."""
    total = 0
    while True:
        deleted = await connection.fetch(
            """
            DELETE FROM dead_events WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM dead_events WHERE died_at < $1 AND occurred_at < $1 LIMIT $2))
            RETURNING 1
            """,
            before,
            ROWS_PER_ROUND,
        )
        total += len(deleted)
        if len(deleted) < ROWS_PER_ROUND:
            return total
