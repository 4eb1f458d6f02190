"""Sealed days: found quickly, and what came too late for them."""

from __future__ import annotations

from alembic import op

revision = "0017_sealed_days"
down_revision = "0016_destination_rules"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE late_unapplied (
        project_id integer NOT NULL,
        day date NOT NULL,
        events bigint DEFAULT 0 NOT NULL,
        last_at timestamptz NOT NULL,
        PRIMARY KEY (project_id, day)
    )
    """,
    """
    CREATE INDEX project_days_sealed ON project_days (project_id, day) WHERE state = 'sealed'
    """,
)

DROP = ("DROP INDEX project_days_sealed", "DROP TABLE late_unapplied")


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
