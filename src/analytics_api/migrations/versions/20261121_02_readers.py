"""Readers of the log and the leases of periodic jobs."""

from __future__ import annotations

from alembic import op

revision = "0002_readers"
down_revision = "0001_log"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE readers (
        project_id integer NOT NULL,
        name text NOT NULL,
        position bigint NOT NULL,
        state text DEFAULT 'running' NOT NULL,
        reason text,
        credentials text,
        lease_owner text,
        lease_epoch bigint DEFAULT 0 NOT NULL,
        lease_until timestamptz,
        failures integer DEFAULT 0 NOT NULL,
        retry_at timestamptz,
        last_error text,
        last_error_at timestamptz,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (project_id, name),
        CHECK (state IN ('running', 'paused')),
        CHECK ((state = 'paused') = (reason IS NOT NULL))
    )
    """,
    """
    CREATE TABLE jobs (
        name text NOT NULL,
        lease_owner text,
        lease_until timestamptz,
        last_started_at timestamptz,
        last_finished_at timestamptz,
        last_error text,
        PRIMARY KEY (name)
    )
    """,
)

DROP = (
    "DROP TABLE jobs",
    "DROP TABLE readers",
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
