"""The rollups behind the figures, as data: each is one statement over the chunk of the log that a reader is at.

Additive rollups add what the chunk holds; that is exact because the reader's position moves in the same transaction.

Rows are looked up by the index whatever the statistics say (LATERAL with OFFSET 0, which the planner leaves alone), and written by
INSERT ... ON CONFLICT or MERGE, which no statistics can turn into a loop over all rows for each row: autovacuum may look at a table
while its first rows are not committed, and then it counts as empty for a minute.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from analytics_api.domain.project import Project


@dataclass(frozen=True, slots=True)
class Rollup:
    """One statement. Parameters: $1 the project's id, and the further ones it names."""

    name: str
    kind: str
    """`additive`: adds the chunk. `extremes`: keeps firsts and lasts. `ledger`: keeps the first of each id."""
    sql: str
    parameters: tuple[str, ...] = ()


DIRTY_DAYS = Rollup(
    # Comes first: it compares the chunk with what `persons` says before the chunk is counted.
    "dirty_days",
    "additive",
    """
    WITH touched AS (
        SELECT day, count(*) AS events FROM chunk GROUP BY day
    ), people AS (
        SELECT person_id, min(day) FILTER (WHERE NOT is_bot) AS first_day, min(day) AS first_day_with_bots,
               min(day) FILTER (WHERE event_type = 'signup_completed' AND NOT is_bot) AS first_signup_day
        FROM chunk WHERE has_person GROUP BY person_id
    ), moved AS (
        -- Days that lose a new person because the person was there earlier than we knew.
        SELECT unnest(ARRAY[
            CASE WHEN c.first_day < p.first_day THEN p.first_day END,
            CASE WHEN c.first_day_with_bots < p.first_day_with_bots THEN p.first_day_with_bots END,
            CASE WHEN c.first_signup_day < p.first_signup_day THEN p.first_signup_day END
        ]) AS day
        FROM people c JOIN persons p USING (person_id)
    )
    INSERT INTO dirty_days AS dirty (project_id, day, cause, events, marked_at)
    SELECT $1, day, 'late_events', sum(events), $2
    FROM (SELECT day, events FROM touched UNION ALL SELECT day, 0 FROM moved WHERE day IS NOT NULL) AS days
    JOIN project_days closed USING (day)
    WHERE closed.project_id = $1
    GROUP BY day ORDER BY day
    ON CONFLICT (project_id, day, cause) DO UPDATE SET
        events = dirty.events + excluded.events, marked_at = excluded.marked_at
    """,
    ("now",),
)

EVENT_DAYS = Rollup(
    "event_days",
    "additive",
    """
    INSERT INTO event_days AS total (project_id, day, event_type, is_bot, events)
    SELECT $1, day, event_type, is_bot, count(*) FROM chunk
    GROUP BY day, event_type, is_bot ORDER BY day, event_type, is_bot
    ON CONFLICT (project_id, day, event_type, is_bot) DO UPDATE SET events = total.events + excluded.events
    """,
)

PERSON_DAYS = Rollup(
    "person_days",
    "additive",
    """
    MERGE INTO person_days AS known USING (
        SELECT person_id, day, bool_or(active AND NOT is_bot) AS active, bool_or(active) AS active_with_bots, count(*) AS events
        FROM chunk WHERE has_person GROUP BY person_id, day ORDER BY person_id, day
    ) AS seen ON known.person_id = seen.person_id AND known.day = seen.day
    WHEN MATCHED THEN UPDATE SET
        active = known.active OR seen.active,
        active_with_bots = known.active_with_bots OR seen.active_with_bots,
        events = known.events + seen.events
    WHEN NOT MATCHED THEN INSERT (person_id, day, project_id, active, active_with_bots, events)
    VALUES (seen.person_id, seen.day, $1, seen.active, seen.active_with_bots, seen.events)
    """,
)

ONE_OF_TWO = """
            anonymous_id = least(known.anonymous_id, excluded.anonymous_id),
            first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
            last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
            first_day = least(known.first_day, excluded.first_day),
            first_day_with_bots = least(known.first_day_with_bots, excluded.first_day_with_bots),
            last_active_day = greatest(known.last_active_day, excluded.last_active_day),
            last_active_day_with_bots = greatest(known.last_active_day_with_bots, excluded.last_active_day_with_bots),
            first_signup_at = least(known.first_signup_at, excluded.first_signup_at),
            first_signup_day = least(known.first_signup_day, excluded.first_signup_day)
"""
"""SQL: the one row of a person whose rows in `persons` are `known` and `excluded`, but for where the person came from first."""

PERSONS = Rollup(
    "persons, last_active_days",
    "extremes",
    f"""
    WITH seen AS (
        SELECT person_id, min(user_id) FILTER (WHERE sent_id = person_id) AS user_id, min(anonymous_id) AS anonymous_id,
               min(occurred_at) AS first_seen_at, max(occurred_at) AS last_seen_at,
               min(day) FILTER (WHERE NOT is_bot) AS first_day, min(day) AS first_day_with_bots,
               max(day) FILTER (WHERE active AND NOT is_bot) AS last_active_day,
               max(day) FILTER (WHERE active) AS last_active_day_with_bots,
               min(occurred_at) FILTER (WHERE event_type = 'signup_completed' AND NOT is_bot) AS first_signup_at,
               min(day) FILTER (WHERE event_type = 'signup_completed' AND NOT is_bot) AS first_signup_day,
               min(occurred_at) FILTER (WHERE source IS NOT NULL) AS first_touch_at
        FROM chunk WHERE has_person GROUP BY person_id
    ), met AS MATERIALIZED (
        SELECT seen.*, known.last_active_day AS old_day, known.last_active_day_with_bots AS old_day_with_bots,
               coalesce(seen.first_touch_at <= known.first_touch_at, seen.first_touch_at IS NOT NULL) AS touched,
               known.first_touch_at AS old_touch_at, known.first_touch_seq AS old_touch_seq
        FROM seen LEFT JOIN LATERAL (
            SELECT * FROM persons p WHERE p.person_id = seen.person_id OFFSET 0) AS known ON true
    ), touch AS MATERIALIZED (
        -- Ties in time go by place in the log.
        SELECT DISTINCT ON (person_id) person_id, source, occurred_at, seq,
               (occurred_at, seq) < (old_touch_at, old_touch_seq) IS NOT FALSE AS is_first
        FROM chunk JOIN met USING (person_id)
        WHERE touched AND chunk.source IS NOT NULL AND chunk.occurred_at = met.first_touch_at
        ORDER BY person_id, seq
    ), change AS MATERIALIZED (
        SELECT met.*, source, touch.occurred_at AS touch_at, touch.seq AS touch_seq
        FROM met LEFT JOIN touch ON touch.person_id = met.person_id AND is_first
    ), written AS (
        INSERT INTO persons AS known (person_id, project_id, user_id, anonymous_id, first_seen_at, last_seen_at,
            first_day, first_day_with_bots, last_active_day, last_active_day_with_bots, first_signup_at,
            first_signup_day, first_touch, first_touch_at, first_touch_seq)
        SELECT person_id, $1, user_id, anonymous_id, first_seen_at, last_seen_at, first_day, first_day_with_bots,
               last_active_day, last_active_day_with_bots, first_signup_at, first_signup_day, source, touch_at, touch_seq
        FROM change ORDER BY person_id
        ON CONFLICT (person_id) DO UPDATE SET
            user_id = coalesce(known.user_id, excluded.user_id),
            {ONE_OF_TWO},
            first_touch = coalesce(excluded.first_touch, known.first_touch),
            first_touch_at = coalesce(excluded.first_touch_at, known.first_touch_at),
            first_touch_seq = coalesce(excluded.first_touch_seq, known.first_touch_seq)
    ), moving AS MATERIALIZED (
        SELECT last_active_day, old_day, last_active_day_with_bots, old_day_with_bots FROM met
        WHERE last_active_day > coalesce(old_day, '-infinity')
           OR last_active_day_with_bots > coalesce(old_day_with_bots, '-infinity')
    ), moved AS (
        SELECT last_active_day AS day, 1 AS persons, 0 AS persons_with_bots FROM moving
        WHERE last_active_day > coalesce(old_day, '-infinity')
        UNION ALL
        SELECT old_day, -1, 0 FROM moving WHERE last_active_day > old_day
        UNION ALL
        SELECT last_active_day_with_bots, 0, 1 FROM moving
        WHERE last_active_day_with_bots > coalesce(old_day_with_bots, '-infinity')
        UNION ALL
        SELECT old_day_with_bots, 0, -1 FROM moving WHERE last_active_day_with_bots > old_day_with_bots
    )
    INSERT INTO last_active_days AS total (project_id, day, persons, persons_with_bots)
    SELECT $1, day, sum(persons), sum(persons_with_bots) FROM moved GROUP BY day ORDER BY day
    ON CONFLICT (project_id, day) DO UPDATE SET
        persons = total.persons + excluded.persons,
        persons_with_bots = total.persons_with_bots + excluded.persons_with_bots
    """,
)

PERSON_FIRSTS = Rollup(
    "person_firsts",
    "extremes",
    """
    WITH seen AS (
        SELECT person_id, event_type, min(occurred_at) FILTER (WHERE NOT is_bot) AS first_at, min(occurred_at) AS first_at_with_bots
        FROM chunk WHERE has_person GROUP BY person_id, event_type
    )
    INSERT INTO person_firsts AS known (person_id, event_type, project_id, first_at, first_at_with_bots)
    SELECT seen.person_id, seen.event_type, $1, seen.first_at, seen.first_at_with_bots
    FROM seen LEFT JOIN LATERAL (
        SELECT * FROM person_firsts f WHERE f.person_id = seen.person_id AND f.event_type = seen.event_type OFFSET 0) AS old ON true
    -- Nearly everybody has done it before; then nothing is written.
    WHERE old.person_id IS NULL OR seen.first_at_with_bots < old.first_at_with_bots
       OR seen.first_at < coalesce(old.first_at, 'infinity')
    ORDER BY 1, 2
    ON CONFLICT (person_id, event_type) DO UPDATE SET
        first_at = least(known.first_at, excluded.first_at),
        first_at_with_bots = least(known.first_at_with_bots, excluded.first_at_with_bots)
    """,
)

PAYMENTS = Rollup(
    "payments, persons.first_payment_at",
    "ledger",
    """
    WITH entries AS (
        SELECT CASE WHEN event_type = 'payment_refunded' THEN 'refund'
                    WHEN event_type = 'payment_chargeback' THEN 'chargeback'
                    WHEN event_type = 'payment_failed' AND revenue IS NULL THEN 'failure'
                    WHEN event_type = 'payment_linked' THEN 'alias'
                    ELSE 'payment' END AS kind,
               coalesce(nullif(event_data ->> 'payment_id', ''), event_id::text) AS long_payment_id,
               coalesce(nullif(event_data ->> 'refund_id', ''), event_id::text) AS long_refund_id,
               event_data ->> 'amount' AS amount_text, event_data ->> 'currency' AS currency_text, chunk.*
        FROM chunk
        WHERE trusted AND (revenue IS NOT NULL
            OR event_type IN ('payment_completed', 'payment_failed', 'payment_refunded', 'payment_chargeback', 'payment_linked'))
    ), short AS (
        -- An index holds 2,700 bytes; LONGEST_ID characters are at most 2,048.
        SELECT entries.*,
               CASE WHEN length(long_payment_id) <= 512 THEN long_payment_id
                    ELSE encode(sha256(convert_to(long_payment_id, 'UTF8')), 'hex') END AS payment_id,
               CASE WHEN length(long_refund_id) <= 512 THEN long_refund_id
                    ELSE encode(sha256(convert_to(long_refund_id, 'UTF8')), 'hex') END AS refund_id
        FROM entries
    ), numbered AS (
        SELECT short.*, CASE kind WHEN 'payment' THEN payment_id ELSE refund_id END AS entry_id,
               CASE kind WHEN 'payment' THEN revenue
                    ELSE CASE WHEN amount_text ~ '^-?[0-9]{1,15}([.][0-9]{1,9})?$' THEN abs(amount_text::numeric) END
               END AS amount
        FROM short
    ), aliases AS (
        -- Other ids under which refunds may name the payment.
        INSERT INTO payments (project_id, kind, entry_id, payment_id, seq, person_id, has_person, is_bot, occurred_at, day)
        SELECT DISTINCT ON (reference) $1, 'alias', reference, payment_id, seq, sent_id, has_person, is_bot, occurred_at, day
        FROM short CROSS JOIN LATERAL jsonb_array_elements_text(
            CASE jsonb_typeof(event_data -> 'references') WHEN 'array' THEN event_data -> 'references' ELSE '[]' END
        ) AS r (reference)
        WHERE kind IN ('payment', 'alias') AND length(reference) BETWEEN 1 AND 512
        ORDER BY reference, seq
        ON CONFLICT (project_id, kind, entry_id) DO NOTHING
    ), paid AS (
        INSERT INTO payments (project_id, kind, entry_id, payment_id, seq, person_id, has_person, is_bot,
                              occurred_at, day, amount, currency)
        SELECT DISTINCT ON (kind, entry_id) $1, kind, entry_id, payment_id, seq, sent_id, has_person, is_bot,
               occurred_at, day, amount,
               CASE WHEN amount IS NULL THEN NULL WHEN kind = 'payment' THEN currency
                    WHEN currency_text ~ '^[A-Za-z]{3}$' THEN upper(currency_text) ELSE $2 END
        FROM numbered WHERE kind <> 'alias' ORDER BY kind, entry_id, seq
        ON CONFLICT (project_id, kind, entry_id) DO NOTHING
        RETURNING kind, person_id, has_person, occurred_at, amount
    )
    UPDATE persons SET first_payment_at = least(persons.first_payment_at, first.occurred_at)
    FROM (
        SELECT coalesce(canonical_id, person_id) AS person_id, min(occurred_at) AS occurred_at
        FROM paid LEFT JOIN person_merges USING (person_id)
        WHERE kind = 'payment' AND amount > 0 AND has_person GROUP BY 1
    ) AS first
    WHERE persons.person_id = first.person_id
    """,
    ("currency",),
)

ROLLUPS = (DIRTY_DAYS, EVENT_DAYS, PERSON_DAYS, PERSONS, PERSON_FIRSTS, PAYMENTS)


async def mark_dirty(
    connection: asyncpg.Connection, project: Project, days: Collection[date], now: datetime, cause: str
) -> None:
    """Mark those of some days that are closed: their rollups have changed otherwise than by events that lie on them."""
    await connection.execute(
        """
        INSERT INTO dirty_days (project_id, day, cause, events, marked_at)
        SELECT $1, day, $4, 0, $3 FROM unnest($2::date[]) AS changed (day)
        JOIN project_days closed USING (day) WHERE closed.project_id = $1 ORDER BY day
        ON CONFLICT (project_id, day, cause) DO NOTHING
        """,
        project.id,
        sorted(days),
        now,
        cause,
    )
