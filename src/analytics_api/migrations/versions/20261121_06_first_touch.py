"""Where each person came from first."""

from __future__ import annotations

from alembic import op

revision = "0006_first_touch"
down_revision = "0005_delivery"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        """
        ALTER TABLE persons
            ADD COLUMN first_touch jsonb,
            ADD COLUMN first_touch_at timestamptz,
            ADD COLUMN first_touch_seq bigint
        """
    )


def downgrade() -> None:
    """Drop."""
    op.execute(
        """
        ALTER TABLE persons DROP COLUMN first_touch, DROP COLUMN first_touch_at, DROP COLUMN first_touch_seq
        """
    )
