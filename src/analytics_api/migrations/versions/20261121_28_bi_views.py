"""Views for people who bring their own BI tool: a schema of their own, so that a role can be given just these."""

from __future__ import annotations

from alembic import op

revision = "0028_bi_views"
down_revision = "0027_first_payments"
branch_labels = None
depends_on = None

CREATE = (
    "CREATE SCHEMA bi",
    """
    CREATE VIEW bi.events AS
    SELECT p.slug AS project, e.seq, e.event_id, e.event_type, e.occurred_at, e.received_at,
           (e.occurred_at AT TIME ZONE p.time_zone)::date AS day,
           CASE WHEN e.has_person THEN coalesce(m.canonical_id, e.person_id) END AS person_id,
           e.user_id, e.anonymous_id, e.session_id, e.event_data, e.user_properties, e.context,
           e.context ->> 'country' AS country, e.context #>> '{source,channel}' AS channel,
           coalesce(e.event_data ->> 'path', e.context #>> '{page,path}') AS path,
           e.revenue, e.currency, e.is_bot
    FROM public.events e JOIN public.projects p ON p.id = e.project_id
    LEFT JOIN public.person_merges m ON m.person_id = e.person_id
    """,
    """
    CREATE VIEW bi.persons AS
    SELECT p.slug AS project, s.person_id, s.user_id, s.anonymous_id, s.first_seen_at, s.last_seen_at,
           s.first_signup_at, s.first_payment_at, s.first_touch, s.properties
    FROM public.persons s JOIN public.projects p ON p.id = s.project_id
    """,
    """
    CREATE VIEW bi.sessions AS
    SELECT p.slug AS project, s.person_id, nullif(s.device, '') AS device, s.started_at, s.ended_at, s.day,
           extract(epoch FROM s.ended_at - s.started_at) AS seconds, s.events, s.page_views, s.is_bot
    FROM public.sessions s JOIN public.projects p ON p.id = s.project_id
    """,
    """
    CREATE VIEW bi.person_days AS
    SELECT p.slug AS project, d.person_id, d.day, d.active, d.active_with_bots, d.events
    FROM public.person_days d JOIN public.projects p ON p.id = d.project_id
    """,
    """
    CREATE VIEW bi.payments AS
    SELECT p.slug AS project, y.kind, y.payment_id, CASE WHEN y.has_person THEN y.person_id END AS person_id,
           y.occurred_at, y.day, y.amount, y.currency, y.is_bot
    FROM public.payments y JOIN public.projects p ON p.id = y.project_id
    """,
    """
    CREATE VIEW bi.metrics AS
    SELECT p.slug AS project, a.metric_type, a.period, a.metric_date, a.value, a.numerator, a.denominator, a.state,
           a.definition_version, a.time_zone, a.calculated_at
    FROM public.aggregated_metrics a JOIN public.projects p ON p.id = a.project_id
    """,
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    op.execute("DROP SCHEMA bi CASCADE")
