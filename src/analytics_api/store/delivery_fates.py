"""What is kept that tells of single events what became of them at each destination. One statement, so one moment."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from analytics_api.domain.event import StoredEvent
from analytics_api.store.deliveries import PREFIX, READ
from analytics_api.store.delivery_window import hour_of
from analytics_api.store.log import STORED

End = tuple[str, str]
"""An EndState and, of what was skipped or discarded, the reason."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A parked event."""

    reason: str
    attempts: int
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class Death:
    """A dead letter."""

    reason: str
    attempts: int
    died_at: datetime
    discarded_at: datetime | None
    discard_reason: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one event at one destination."""

    seq: int
    destination: str
    position: int
    start: int | None
    """The position that the reader began at; None: it was made before that was kept."""
    changed_at: datetime | None
    """When the destination's rules or options were last changed over the API."""
    wait: Wait | None
    death: Death | None
    ends: Counter[End]
    """How the events of its type that arrived in its hour have ended there; dead ones whose letters are still there are left
    out: of these it is known which they are.
    """


async def events_by_seq(
    connection: asyncpg.Connection, project_id: int, seqs: Sequence[int]
) -> list[StoredEvent]:
    """Those of a project's events that are there, in the order of the log."""
    rows = await connection.fetch(
        f"SELECT {', '.join(STORED)} FROM events WHERE project_id = $1 AND seq = ANY ($2::bigint[]) ORDER BY seq",
        project_id,
        seqs,
    )
    return [StoredEvent(*row.values()) for row in rows]


async def traces(
    connection: asyncpg.Connection, project_id: int, events: Sequence[StoredEvent]
) -> list[Trace]:
    """Of each event at each destination that has a reader of live events, by event and name."""
    rows = await connection.fetch(
        _TRACES,
        project_id,
        PREFIX,
        READ,
        [event.seq for event in events],
        [event.person_id for event in events],
        [event.event_type for event in events],
        [hour_of(event.received_at) for event in events],
    )
    return [_trace(row) for row in rows]


_TRACES = """
    WITH asked AS (
        SELECT * FROM unnest($4::bigint[], $5::uuid[], $6::text[], $7::timestamptz[]) AS e (seq, person_id, event_type, hour)
    ), letters AS MATERIALIZED (
        SELECT x.destination, x.event_type, date_trunc('hour', x.received_at, 'UTC') AS hour,
            x.discarded_at IS NULL AS fresh, count(*) AS events
        FROM dead_events x
        WHERE x.project_id = $1 AND (x.event_type, date_trunc('hour', x.received_at, 'UTC')) IN (SELECT event_type, hour FROM asked)
        GROUP BY 1, 2, 3, 4
    )
    SELECT e.seq, d.destination, r.position, r.start_position,
        -- What was set when a destination was added has held for all that it has been sent.
        greatest(CASE WHEN a.created_at IS NULL OR u.changed_at > a.created_at THEN u.changed_at END,
                 CASE WHEN a.updated_at > a.created_at THEN a.updated_at END) AS changed_at,
        p.reason AS parked_for, p.attempts AS parked_attempts, p.retry_at,
        x.reason AS died_of, x.attempts AS dead_attempts, x.died_at, x.discarded_at, x.discard_reason,
        (SELECT jsonb_agg(jsonb_build_array(k.outcome, k.reason, k.events - coalesce(l.events, 0)))
         FROM delivery_counts k
         LEFT JOIN letters l ON k.outcome = 'dead' AND l.destination = k.destination AND l.event_type = k.event_type
             AND l.hour = k.hour AND l.fresh = (k.reason = '')
         WHERE k.project_id = $1 AND k.destination = d.destination AND k.hour = e.hour AND k.event_type = e.event_type
           AND k.outcome <> $3) AS ends
    FROM asked e
    CROSS JOIN readers r
    CROSS JOIN LATERAL (SELECT substr(r.name, length($2) + 1) AS destination) d
    LEFT JOIN parked_events p ON p.project_id = $1 AND p.destination = d.destination AND p.person_id = e.person_id
        AND p.seq = e.seq
    LEFT JOIN dead_events x ON x.project_id = $1 AND x.destination = d.destination AND x.person_id = e.person_id
        AND x.seq = e.seq
    LEFT JOIN destination_rules u ON u.project_id = $1 AND u.destination = d.destination
    LEFT JOIN destinations a ON a.project_id = $1 AND a.name = d.destination
    WHERE r.project_id = $1 AND starts_with(r.name, $2)
    ORDER BY e.seq, d.destination
"""


def _trace(row: Any) -> Trace:
    wait = None
    if row["parked_for"] is not None:
        wait = Wait(row["parked_for"], row["parked_attempts"], row["retry_at"])
    death = None
    if row["died_of"] is not None:
        death = Death(
            row["died_of"], row["dead_attempts"], row["died_at"], row["discarded_at"], row["discard_reason"]
        )
    ends = Counter({(outcome, reason): n for outcome, reason, n in json.loads(row["ends"] or "[]") if n > 0})
    return Trace(
        row["seq"],
        row["destination"],
        row["position"],
        row["start_position"],
        row["changed_at"],
        wait,
        death,
        ends,
    )
