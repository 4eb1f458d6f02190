"""Another zone's days: what rollups say by day, made from raw events for one question.

The tables that metrics read are shadowed by expressions of the same names and columns, so that both ways ask the same SQL.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from analytics_api.domain.event import INACTIVE_EVENT_TYPES
from analytics_api.domain.period import start_of_day
from analytics_api.store.chunk_table import active

_BEFORE = 32
"""Days that metrics look back from their first bucket: a month, or 29 days."""
_SPARE = timedelta(days=3)
"""Local dates of one instant differ by up to two days between zones."""

VIEWS = f"""
    seen AS (
        SELECT e.project_id, coalesce(m.canonical_id, e.person_id) AS person_id, e.has_person, e.event_type, e.is_bot,
               {active("CAST(:view_inactive AS text[])")} AS active,
               (e.occurred_at AT TIME ZONE :view_zone)::date AS day
        FROM events e LEFT JOIN person_merges m ON m.person_id = e.person_id
        WHERE e.project_id = :project AND e.occurred_at >= :view_from AND e.occurred_at < :view_to
          AND e.seq <= (SELECT position FROM readers WHERE project_id = :project AND name = 'rollups')
          AND e.seq NOT IN (SELECT seq FROM rollup_failures WHERE project_id = :project)
    ), event_days AS (
        SELECT project_id, day, event_type, is_bot, count(*) AS events FROM seen GROUP BY 1, 2, 3, 4
    ), person_days AS (
        SELECT project_id, person_id, day, bool_or(active AND NOT is_bot) AS active, bool_or(active) AS active_with_bots
        FROM seen WHERE has_person GROUP BY 1, 2, 3
        UNION ALL
        -- Of what was before the stretch it matters only that it was.
        SELECT project_id, person_id, day, active, active_with_bots FROM person_days
        WHERE project_id = :project AND day < :view_first
    ), persons AS (
        SELECT p.project_id, p.person_id, p.first_signup_at, p.first_payment_at,
               (p.first_signup_at AT TIME ZONE :view_zone)::date AS first_signup_day,
               (p.first_seen_at AT TIME ZONE :view_zone)::date AS first_day_with_bots,
               -- Of the first event of no bot only the project's day is known; in the stretch it is seen itself.
               CASE WHEN p.first_day >= :view_first THEN coalesce(first.day, p.first_day) ELSE p.first_day END AS first_day
        FROM persons p LEFT JOIN (
            SELECT person_id, min(day) AS day FROM seen WHERE has_person AND NOT is_bot GROUP BY 1) AS first USING (person_id)
        WHERE p.project_id = :project
    ), sessions AS (
        SELECT project_id, (started_at AT TIME ZONE :view_zone)::date AS day, is_bot, started_at, ended_at FROM sessions
        WHERE project_id = :project AND day >= :view_first AND day < CAST(:after AS date) + 3
    ), payments AS (
        SELECT project_id, kind, entry_id, payment_id, seq, person_id, has_person, is_bot, occurred_at,
               (occurred_at AT TIME ZONE :view_zone)::date AS day, amount, currency
        FROM payments WHERE project_id = :project
    )
"""


def in_view(sql: str) -> str:
    """The statement over the shadowed tables."""
    rest = sql.lstrip()
    return f"WITH {VIEWS}, {rest[4:]}" if rest.startswith("WITH") else f"WITH {VIEWS} {rest}"


def view_parameters(zone: ZoneInfo, first: date, after: date) -> dict[str, Any]:
    """What the expressions need for buckets from `first` up to the day before `after`."""
    earliest = first - timedelta(days=_BEFORE)
    return {
        "view_zone": zone.key,
        "view_first": earliest,
        "view_from": start_of_day(earliest, zone) - _SPARE,
        "view_to": start_of_day(after, zone) + _SPARE,
        "view_inactive": list(INACTIVE_EVENT_TYPES),
    }


def first_answerable(gone_until: date) -> date:
    """The first day that a bucket may begin on when raw events up to a day are gone."""
    return gone_until + timedelta(days=_BEFORE + 1) + _SPARE
