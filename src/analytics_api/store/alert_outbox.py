"""The outbox of alerts: what is to be sent over which channel, written in the transaction in which an alert changes.

A channel is claimed for a while by one process, which sends what waits for it, oldest first. Every entry is settled under
the claim: a process that was stopped for longer writes nothing afterwards.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from analytics_api.errors import LeaseLost
from analytics_api.store.alert_channels import COLUMNS, StoredChannel, channel_of


@dataclass(frozen=True, slots=True)
class Notification:
    """An entry of the outbox."""

    id: int
    message_id: UUID
    """The same at every attempt: who gets it twice can tell."""
    notice: str
    facts: dict[str, Any]
    attempts: int
    created_at: datetime


async def outbox_counts(connection: asyncpg.Connection, project_id: int) -> dict[int, dict[str, int]]:
    """Notifications of a project's channels that wait or were given up: `{channel: {"waiting": 2, "failed": 1}}`."""
    rows = await connection.fetch(
        """
        SELECT channel_id, n.state, count(*) AS number
        FROM alert_notifications n JOIN alert_channels c ON c.id = n.channel_id
        WHERE c.project_id = $1 AND n.state IN ('waiting', 'failed') GROUP BY channel_id, n.state
        """,
        project_id,
    )
    counts: dict[int, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(row["channel_id"], {})[row["state"]] = row["number"]
    return counts


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send over a channel for a time."""

    id: UUID
    channel: StoredChannel


async def claim_channels(
    connection: asyncpg.Connection, now: datetime, lasts: timedelta, most: int
) -> list[Claim]:
    """Take up to `most` channels for which something waits that is due, and that no other process has."""
    claim = uuid4()
    rows = await connection.fetch(
        f"""
        UPDATE alert_channels SET claim = $3, claimed_until = $2 WHERE id IN (
            SELECT c.id FROM alert_channels c
            WHERE (c.claimed_until IS NULL OR c.claimed_until < $1) AND (c.retry_at IS NULL OR c.retry_at <= $1)
              AND EXISTS (SELECT 1 FROM alert_notifications n WHERE n.channel_id = c.id AND n.state = 'waiting')
            ORDER BY c.retry_at NULLS FIRST, c.id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING {COLUMNS}
        """,
        now,
        now + lasts,
        claim,
        most,
    )
    return [Claim(claim, channel_of(row)) for row in rows]


async def next_notification(
    connection: asyncpg.Connection, claim: Claim, now: datetime, lasts: timedelta
) -> Notification | None:
    """The oldest that waits, with the attempt counted and the claim renewed; None when nothing waits or waits longer.

    Raises LeaseLost when another process has the channel, or it is gone.
    """
    async with connection.transaction():
        await _renew(connection, claim, now + lasts)
        row = await connection.fetchrow(
            """
            UPDATE alert_notifications SET attempts = attempts + 1 WHERE id = (
                SELECT id FROM alert_notifications WHERE channel_id = $1 AND state = 'waiting' ORDER BY id LIMIT 1)
            RETURNING id, message_id, notice, facts, attempts, created_at
            """,
            claim.channel.id,
        )
    if row is None:
        return None
    return Notification(**{**dict(row), "facts": json.loads(row["facts"])})


async def settle_sent(
    connection: asyncpg.Connection,
    claim: Claim,
    notification: Notification,
    now: datetime,
    *,
    state: str = "sent",
) -> None:
    """Note that one is done (`sent`, or `skipped` because nothing may leave). Raises LeaseLost."""
    async with connection.transaction():
        await _hold(connection, claim)
        await connection.execute(
            "UPDATE alert_notifications SET state = $2, ended_at = $3, last_error = NULL WHERE id = $1",
            notification.id,
            state,
            now,
        )
        await connection.execute(
            """
            UPDATE alert_channels SET failures = 0, retry_at = NULL,
                last_sent_at = CASE WHEN $2 = 'sent' THEN $3 ELSE last_sent_at END
            WHERE id = $1
            """,
            claim.channel.id,
            state,
            now,
        )


async def settle_failed(
    connection: asyncpg.Connection,
    claim: Claim,
    notification: Notification,
    error: str,
    now: datetime,
    *,
    retry_at: datetime,
    give_up: bool,
) -> None:
    """Note that an attempt failed: the channel rests until `retry_at`, the notification waits or is given up.

    Raises LeaseLost.
    """
    error = error[:2000]
    async with connection.transaction():
        await _hold(connection, claim)
        await connection.execute(
            """
            UPDATE alert_notifications SET last_error = $2, state = CASE WHEN $3 THEN 'failed' ELSE state END,
                ended_at = CASE WHEN $3 THEN $4 ELSE ended_at END
            WHERE id = $1
            """,
            notification.id,
            error,
            give_up,
            now,
        )
        await connection.execute(
            """
            UPDATE alert_channels SET failures = failures + 1, retry_at = $2, last_error = $3, last_error_at = $4
            WHERE id = $1
            """,
            claim.channel.id,
            retry_at,
            error,
            now,
        )


async def release_channel(connection: asyncpg.Connection, claim: Claim) -> None:
    """Give the channel back, if it is still held."""
    await connection.execute(
        "UPDATE alert_channels SET claim = NULL, claimed_until = NULL WHERE id = $1 AND claim = $2",
        claim.channel.id,
        claim.id,
    )


async def _renew(connection: asyncpg.Connection, claim: Claim, until: datetime) -> None:
    held = await connection.fetchval(
        "UPDATE alert_channels SET claimed_until = $3 WHERE id = $1 AND claim = $2 RETURNING 1",
        claim.channel.id,
        claim.id,
        until,
    )
    _require(held, claim)


async def _hold(connection: asyncpg.Connection, claim: Claim) -> None:
    held = await connection.fetchval(
        "SELECT 1 FROM alert_channels WHERE id = $1 AND claim = $2 FOR NO KEY UPDATE",
        claim.channel.id,
        claim.id,
    )
    _require(held, claim)


def _require(held: object, claim: Claim) -> None:
    if held is None:
        raise LeaseLost(f"alert channel {claim.channel.id} has been taken over or removed")
