"""Destinations that are added while everything runs."""

from __future__ import annotations

from alembic import op

revision = "0009_destinations"
down_revision = "0008_tracking_plan"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        """
        CREATE TABLE destinations (
            project_id integer NOT NULL,
            name text NOT NULL,
            kind text NOT NULL,
            options jsonb NOT NULL,
            secrets bytea,
            secret_names text[] NOT NULL,
            start text NOT NULL,
            version uuid DEFAULT gen_random_uuid() NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (project_id, name)
        )
        """
    )


def downgrade() -> None:
    """Drop."""
    op.execute("DROP TABLE destinations")
