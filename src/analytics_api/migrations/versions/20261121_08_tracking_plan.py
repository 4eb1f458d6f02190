"""Tracking plans, the quarantine and the warnings of intake."""

from __future__ import annotations

from alembic import op

revision = "0008_tracking_plan"
down_revision = "0007_rollup_failures"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        """
        CREATE TABLE tracking_plans (
            project_id integer PRIMARY KEY,
            mode text NOT NULL,
            unknown_types text NOT NULL,
            version bigint NOT NULL,
            updated_at timestamptz NOT NULL
        )
        """
    )
    # Schemas are text: jsonb cannot hold NUL characters, which a pattern may name.
    op.execute(
        """
        CREATE TABLE plan_event_types (
            project_id integer NOT NULL,
            event_type text NOT NULL,
            schema text NOT NULL,
            description text NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (project_id, event_type)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE quarantined_events (
            person_id uuid NOT NULL,
            event_id uuid NOT NULL,
            project_id integer NOT NULL,
            has_person boolean NOT NULL,
            is_bot boolean NOT NULL,
            trusted boolean NOT NULL,
            user_id text,
            anonymous_id text,
            session_id text,
            event_type text NOT NULL,
            event_data jsonb NOT NULL,
            user_properties jsonb,
            context jsonb NOT NULL,
            revenue numeric,
            currency text,
            occurred_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            kind text NOT NULL,
            path text NOT NULL,
            reason text NOT NULL,
            PRIMARY KEY (person_id, event_id)
        )
        """
    )
    op.execute(
        "CREATE INDEX quarantined_events_project ON quarantined_events (project_id, received_at, event_id)"
    )
    op.execute("CREATE INDEX quarantined_events_type ON quarantined_events (project_id, event_type)")
    op.execute(
        """
        CREATE TABLE ingestion_warnings (
            project_id integer NOT NULL,
            kind text NOT NULL,
            event_type text NOT NULL,
            path text NOT NULL,
            events bigint NOT NULL,
            first_seen timestamptz NOT NULL,
            last_seen timestamptz NOT NULL,
            message text NOT NULL,
            sample text,
            PRIMARY KEY (project_id, kind, event_type, path)
        )
        """
    )


def downgrade() -> None:
    """Drop."""
    for table in ("ingestion_warnings", "quarantined_events", "plan_event_types", "tracking_plans"):
        op.execute(f"DROP TABLE {table}")
