"""Exchange rates and acquisition spend: entered by people, replaced when entered again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.project import Project
from analytics_api.store.metrics.days import SPEND, hold_rollups


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `currency` was worth `rate` units of the project's currency on the UTC day."""

    currency: str
    day: date
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Spend:
    """What was spent on a campaign from `start` to `end`, both included, in major units of `currency`."""

    start: date
    end: date
    channel: str
    campaign: str
    amount: Decimal
    currency: str


_SAVE_RATES = """
    WITH changed AS (
        INSERT INTO exchange_rates AS known (project_id, currency, day, rate)
        SELECT :project, currency, day, rate
        FROM unnest(CAST(:currencies AS text[]), CAST(:days AS date[]), CAST(:rates AS numeric[])) AS r (currency, day, rate)
        ORDER BY currency, day
        ON CONFLICT (project_id, currency, day) DO UPDATE SET rate = excluded.rate WHERE known.rate <> excluded.rate
        RETURNING currency, day
    ), entries AS (
        SELECT p.day FROM changed c JOIN payments p ON p.project_id = :project AND p.currency = c.currency
            AND p.day BETWEEN c.day - 1 AND c.day + 1 AND (p.occurred_at AT TIME ZONE 'UTC')::date = c.day
        UNION
        SELECT (s.occurred_at AT TIME ZONE :zone)::date FROM changed c
        JOIN subscription_changes s ON s.project_id = :project AND s.currency = c.currency
            AND (s.occurred_at AT TIME ZONE 'UTC')::date = c.day
        UNION
        SELECT c.day FROM changed c JOIN spend s ON s.project_id = :project
            AND s.currency = c.currency AND c.day BETWEEN s.start_day AND s.end_day
    ), marked AS (
        INSERT INTO dirty_days (project_id, day, cause, events, marked_at)
        SELECT DISTINCT :project, closed.day, 'fx', 0, CAST(:now AS timestamptz) FROM entries
        -- Spend may lie before the first event: then the first closed day stands for it.
        CROSS JOIN LATERAL (SELECT min(day) AS day FROM project_days
                            WHERE project_id = :project AND project_days.day >= entries.day) AS closed
        WHERE closed.day IS NOT NULL
        ON CONFLICT (project_id, day, cause) DO UPDATE SET marked_at = excluded.marked_at
    )
    SELECT count(*) FROM changed
"""


async def save_rates(
    connection: AsyncConnection, project: Project, rates: Sequence[Rate], now: datetime
) -> int:
    """Store exchange rates; closed days with amounts that they convert are made again. Returns how many were new.

    Of several rates for one currency and day the last one counts.
    """
    await hold_rollups(connection, project.id)
    unique = {(rate.currency, rate.day): rate.rate for rate in rates}
    changed = await connection.scalar(
        text(_SAVE_RATES),
        {
            "project": project.id,
            "zone": project.zone.key,
            "now": now,
            "currencies": [currency for currency, _ in unique],
            "days": [day for _, day in unique],
            "rates": list(unique.values()),
        },
    )
    return int(changed or 0)


# One changed entry marks one day: all figures that use spend look back on everything since then.
_SAVE_SPEND = """
    WITH changed AS (
        INSERT INTO spend AS known (project_id, start_day, end_day, channel, campaign, amount, currency)
        SELECT :project, start_day, end_day, channel, campaign, amount, currency
        FROM unnest(CAST(:starts AS date[]), CAST(:ends AS date[]), CAST(:channels AS text[]),
                    CAST(:campaigns AS text[]), CAST(:amounts AS numeric[]), CAST(:currencies AS text[]))
            AS s (start_day, end_day, channel, campaign, amount, currency)
        ORDER BY start_day, end_day, channel, campaign
        ON CONFLICT (project_id, start_day, end_day, channel, campaign) DO UPDATE SET
            amount = excluded.amount, currency = excluded.currency
        WHERE (known.amount, known.currency) IS DISTINCT FROM (excluded.amount, excluded.currency)
        RETURNING start_day
    ), marked AS (
        INSERT INTO dirty_days (project_id, day, cause, events, marked_at)
        SELECT :project, min(closed.day), :cause, 0, CAST(:now AS timestamptz)
        FROM project_days closed
        WHERE closed.project_id = :project AND closed.day >= (SELECT min(start_day) FROM changed)
        HAVING count(*) > 0
        ON CONFLICT (project_id, day, cause) DO UPDATE SET marked_at = excluded.marked_at
    )
    SELECT count(*) FROM changed
"""


async def save_spend(
    connection: AsyncConnection, project: Project, entries: Sequence[Spend], now: datetime
) -> int:
    """Store spend, replacing what is known of the same days, channel and campaign. Returns how many were new.

    Of several entries for the same days, channel and campaign the last one counts.
    """
    await hold_rollups(connection, project.id)
    unique = {(entry.start, entry.end, entry.channel, entry.campaign): entry for entry in entries}
    changed = await connection.scalar(
        text(_SAVE_SPEND),
        {
            "project": project.id,
            "now": now,
            "cause": SPEND,
            "starts": [entry.start for entry in unique.values()],
            "ends": [entry.end for entry in unique.values()],
            "channels": [entry.channel for entry in unique.values()],
            "campaigns": [entry.campaign for entry in unique.values()],
            "amounts": [entry.amount for entry in unique.values()],
            "currencies": [entry.currency for entry in unique.values()],
        },
    )
    return int(changed or 0)
