"""Dead letters: what they died of, and those that somebody has discarded."""

from __future__ import annotations

from alembic import op

revision = "0013_dead_letters"
down_revision = "0012_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add."""
    op.execute(
        """
        ALTER TABLE dead_events
            ADD COLUMN kind text DEFAULT 'refused' NOT NULL,
            ADD COLUMN discarded_at timestamptz,
            ADD COLUMN discard_reason text,
            ADD CHECK (kind IN ('refused', 'form', 'too_large'))
        """
    )


def downgrade() -> None:
    """Take away; discarded ones are dead letters again, as their counts say."""
    op.execute(
        "ALTER TABLE dead_events DROP COLUMN kind, DROP COLUMN discarded_at, DROP COLUMN discard_reason"
    )
