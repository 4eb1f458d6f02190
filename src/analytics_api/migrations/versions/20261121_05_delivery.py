"""State of the destinations, and traffic of the API itself."""

from __future__ import annotations

from alembic import op

revision = "0005_delivery"
down_revision = "0004_figures"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE delivery_counts (
        project_id integer NOT NULL,
        destination text NOT NULL,
        hour timestamptz NOT NULL,
        event_type text NOT NULL,
        outcome text NOT NULL,
        reason text DEFAULT '' NOT NULL,
        events bigint DEFAULT 0 NOT NULL,
        PRIMARY KEY (project_id, destination, hour, event_type, outcome, reason),
        CHECK (outcome IN ('delivered', 'skipped', 'dead', 'unknown'))
    )
    """,
    """
    CREATE TABLE parked_events (
        project_id integer NOT NULL,
        destination text NOT NULL,
        person_id uuid NOT NULL,
        seq bigint NOT NULL,
        event_type text NOT NULL,
        occurred_at timestamptz NOT NULL,
        received_at timestamptz NOT NULL,
        attempts integer NOT NULL,
        reason text NOT NULL,
        parked_at timestamptz NOT NULL,
        uncertain_since timestamptz,
        retry_at timestamptz NOT NULL,
        PRIMARY KEY (project_id, destination, person_id, seq)
    )
    """,
    """
    CREATE INDEX parked_events_due ON parked_events (project_id, destination, retry_at)
    """,
    """
    CREATE TABLE dead_events (
        project_id integer NOT NULL,
        destination text NOT NULL,
        person_id uuid NOT NULL,
        seq bigint NOT NULL,
        event_id uuid NOT NULL,
        event_type text NOT NULL,
        occurred_at timestamptz NOT NULL,
        received_at timestamptz NOT NULL,
        reason text NOT NULL,
        attempts integer NOT NULL,
        died_at timestamptz NOT NULL,
        PRIMARY KEY (project_id, destination, person_id, seq)
    )
    """,
    """
    CREATE INDEX dead_events_newest ON dead_events (project_id, died_at, seq)
    """,
    """
    CREATE TABLE single_attempts (
        project_id integer NOT NULL,
        destination text NOT NULL,
        person_id uuid NOT NULL,
        seq bigint NOT NULL,
        begun_at timestamptz NOT NULL,
        PRIMARY KEY (project_id, destination, person_id, seq)
    )
    """,
    """
    CREATE TABLE sandbox_payloads (
        id bigint GENERATED ALWAYS AS IDENTITY,
        project_id integer NOT NULL,
        person_id uuid NOT NULL,
        event_id uuid NOT NULL,
        event_type text NOT NULL,
        payload jsonb NOT NULL,
        logged_at timestamptz NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE INDEX sandbox_payloads_project ON sandbox_payloads (project_id, id)
    """,
    """
    CREATE TABLE request_minutes (
        project_id integer NOT NULL,
        minute timestamptz NOT NULL,
        method text NOT NULL,
        route text NOT NULL,
        status smallint NOT NULL,
        caller text NOT NULL,
        requests bigint DEFAULT 0 NOT NULL,
        seconds numeric DEFAULT 0 NOT NULL,
        slowest numeric DEFAULT 0 NOT NULL,
        PRIMARY KEY (project_id, minute, method, route, status, caller)
    )
    """,
)

DROP = (
    "DROP TABLE request_minutes",
    "DROP TABLE sandbox_payloads",
    "DROP TABLE single_attempts",
    "DROP TABLE dead_events",
    "DROP TABLE parked_events",
    "DROP TABLE delivery_counts",
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
