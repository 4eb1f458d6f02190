"""Metrics that projects define for themselves, and kept figures of theirs that are to be made again."""

from __future__ import annotations

from alembic import op

revision = "0018_custom_metrics"
down_revision = "0017_sealed_days"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE custom_metrics (
        project_id integer NOT NULL,
        name text NOT NULL,
        revision integer NOT NULL,
        version integer NOT NULL,
        definition jsonb,
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (project_id, name, revision)
    )
    """,
    """
    ALTER TABLE aggregated_metrics ADD COLUMN stale text
    """,
)

DROP = ("ALTER TABLE aggregated_metrics DROP COLUMN stale", "DROP TABLE custom_metrics")


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
