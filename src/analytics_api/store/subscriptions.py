"""The ledger of subscription changes. In Python, because its times and amounts are free text from outside."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal

import asyncpg
import orjson

from analytics_api.domain.money import parse_amount, parse_currency
from analytics_api.domain.project import Project
from analytics_api.domain.subscription import monthly_amount
from analytics_api.domain.times import parse_time

LONGEST_ID = 512

ENDING = {"cancelled": timedelta(), "past_due": timedelta(days=30)}
"""Kinds of changes with which a customer ceases to pay, and how long after them unless they say it themselves (definitions, 5b)."""


async def roll_up_subscriptions(connection: asyncpg.Connection, project: Project) -> None:
    """The ledger of subscription changes. In Python, because its times and amounts are free text from outside."""
    rows = await connection.fetch(
        """
        SELECT seq, sent_id AS person_id, event_type, event_data, occurred_at FROM chunk
        WHERE trusted AND event_type LIKE 'subscription\\_%' AND event_data IS NOT NULL ORDER BY seq
        """
    )
    changes = [_change(project, row) for row in rows]
    await connection.executemany(
        """
        INSERT INTO subscription_changes
            (project_id, subscription_id, seq, person_id, kind, occurred_at, effective_at, mrr, currency)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
        """,
        changes,
    )


def _change(project: Project, row: asyncpg.Record) -> tuple[object, ...]:
    data = orjson.loads(row["event_data"])
    kind = row["event_type"].removeprefix("subscription_")
    subscription = data.get("subscription_id")
    effective = row["occurred_at"]
    mrr: Decimal | None = None
    currency: str | None = None
    if kind in ENDING:
        mrr = Decimal(0)
        effective = max(effective, _ends_at(data.get("ends_at"), effective + ENDING[kind]))
    elif data.get("amount") is not None or data.get("mrr") is not None:
        # Some billing systems tell what a month is worth, others what is due and how often.
        name, interval = ("mrr", "month") if data.get("amount") is None else ("amount", data.get("interval"))
        try:
            mrr = monthly_amount(
                parse_amount(data[name], name), interval if isinstance(interval, str) else None
            )
            currency = parse_currency(data.get("currency") or project.currency, "currency")
        except ValueError:
            mrr = currency = None
    return (
        project.id,
        # A person without subscription ids has one subscription.
        _short(str(subscription)) if subscription not in (None, "") else f"person:{row['person_id']}",
        row["seq"],
        row["person_id"],
        kind,
        row["occurred_at"],
        effective,
        mrr,
        currency,
    )


def _short(text: str) -> str:
    """An id that fits into an index; as rollups.py does with those of payments."""
    return text if len(text) <= LONGEST_ID else hashlib.sha256(text.encode()).hexdigest()


def _ends_at(value: object, otherwise: datetime) -> datetime:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return otherwise
    try:
        return parse_time(value, "ends_at")
    except ValueError:
        return otherwise
