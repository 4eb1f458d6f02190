"""How long projects keep raw events, and what the last run of retention did."""

from __future__ import annotations

from alembic import op

revision = "0031_retention"
down_revision = "0030_consent"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE retention_periods (
        project_id integer NOT NULL,
        event_type text NOT NULL,
        days integer NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (project_id, event_type)
    )
    """,
    """
    CREATE TABLE retention_states (
        project_id integer NOT NULL PRIMARY KEY,
        started_at timestamptz NOT NULL,
        finished_at timestamptz,
        events bigint DEFAULT 0 NOT NULL,
        partitions text[] DEFAULT '{}' NOT NULL,
        blocked jsonb DEFAULT '{}'::jsonb NOT NULL,
        blocked_since timestamptz
    )
    """,
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for table in ("retention_states", "retention_periods"):
        op.execute(f"DROP TABLE {table}")
