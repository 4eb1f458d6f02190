"""Rate limits of single keys."""

from __future__ import annotations

from alembic import op

revision = "0010_rate_limits"
down_revision = "0009_destinations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute("ALTER TABLE api_keys ADD COLUMN events_per_second integer")


def downgrade() -> None:
    """Drop."""
    op.execute("ALTER TABLE api_keys DROP COLUMN events_per_second")
