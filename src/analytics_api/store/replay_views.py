"""Replays as they stand, for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from analytics_api.store.deliveries import READ
from analytics_api.store.replays import MARK, NAMES, Live, Replay, from_row, replay_key


@dataclass(frozen=True, slots=True)
class ReplayView:
    """A replay as it stands, from one snapshot."""

    replay: Replay
    position: int
    pause: str | None
    """Why it is paused; None when it is not."""
    failures: int
    retry_at: datetime | None
    last_error: str | None
    live: Live
    parked: int
    counts: Counter[tuple[str, str]]
    """(outcome, reason): events."""

    @property
    def state(self) -> str:
        """That of the row, or `paused`."""
        return "paused" if self.pause is not None else self.replay.state

    @property
    def done(self) -> int:
        """Events that have come to an end."""
        return self.counts.total()

    @property
    def progress(self) -> float:
        """From 0 to 1: of the events, or of the log when they could not be counted."""
        replay = self.replay
        if replay.state == "done":
            return 1.0
        done, whole = self.done, replay.estimated
        if whole is None:
            done, whole = self.position - replay.after_seq, replay.upto_seq - replay.after_seq
        return round(min(done / whole, 1.0), 4) if whole else 0.0

    def why(self, now: datetime) -> str | None:
        """Why it is paused, waits or has failed."""
        if self.replay.state != "running" or self.pause is not None:
            return self.pause or self.replay.reason
        if self.retry_at is not None and self.retry_at > now:
            return "the destination does not take events; it is tried again"
        if self.live.retry_at is not None and self.live.retry_at > now:
            return "the destination does not take its live events; they go first"
        if self.live.busy_until is not None and self.live.busy_until > now:
            return "live events are being delivered; they go first"
        return None


async def view_replays(
    connection: asyncpg.Connection,
    project_id: int,
    *,
    replay_id: int | None = None,
    destination: str | None = None,
    before: int | None = None,
    limit: int = 1,
) -> list[ReplayView]:
    """Replays of a project, the newest first: one, or those to a destination; `before` is the number of the last one seen."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(_VIEW, project_id, replay_id, destination, before, limit)
        keys = [replay_key(row["destination"], row["id"]) for row in rows]
        counted = await connection.fetch(
            """
            SELECT destination, outcome, reason, sum(events)::bigint AS events FROM delivery_counts
            WHERE project_id = $1 AND destination = ANY ($2::text[]) AND outcome <> $3
            GROUP BY destination, outcome, reason HAVING sum(events) <> 0
            """,
            project_id,
            keys,
            READ,
        )
    counts: dict[str, Counter[tuple[str, str]]] = {key: Counter() for key in keys}
    for row in counted:
        counts[row["destination"]][row["outcome"], row["reason"]] = row["events"]
    return [
        ReplayView(
            replay=from_row(row),
            position=row["reader_position"],
            pause=row["pause"],
            failures=row["failures"],
            retry_at=row["retry_at"],
            last_error=row["last_error"],
            live=Live(row["start_position"], row["busy_until"], row["live_retry_at"]),
            parked=row["parked"],
            counts=counts[key],
        )
        for key, row in zip(keys, rows, strict=True)
    ]


_VIEW = f"""
    SELECT {", ".join(f"r.{name}" for name in NAMES)}, coalesce(own.position, r.position) AS reader_position,
        CASE WHEN own.state = 'paused' THEN own.reason END AS pause, coalesce(own.failures, 0) AS failures, own.retry_at,
        own.last_error, live.start_position, live.lease_until AS busy_until,
        CASE WHEN live.failures > 0 THEN live.retry_at END AS live_retry_at,
        (SELECT count(*) FROM parked_events p
         WHERE p.project_id = r.project_id AND p.destination = r.destination || '{MARK}' || r.id) AS parked
    FROM replays r
    LEFT JOIN readers own ON own.project_id = r.project_id AND own.name = 'replay:' || r.id
    LEFT JOIN readers live ON live.project_id = r.project_id AND live.name = 'deliver:' || r.destination
    WHERE r.project_id = $1 AND ($2::bigint IS NULL OR r.id = $2) AND ($3::text IS NULL OR r.destination = $3)
      AND ($4::bigint IS NULL OR r.id < $4)
    ORDER BY r.id DESC LIMIT $5
"""
