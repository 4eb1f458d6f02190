"""Events that could not be counted, set aside."""

from __future__ import annotations

from alembic import op

revision = "0007_rollup_failures"
down_revision = "0006_first_touch"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        """
        CREATE TABLE rollup_failures (
            project_id integer NOT NULL,
            seq bigint NOT NULL,
            error text NOT NULL,
            failed_at timestamptz NOT NULL,
            PRIMARY KEY (project_id, seq)
        )
        """
    )


def downgrade() -> None:
    """Drop."""
    op.execute("DROP TABLE rollup_failures")
