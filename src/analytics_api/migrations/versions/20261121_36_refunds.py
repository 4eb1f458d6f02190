"""What was given back in some weeks is found without looking at all that ever was."""

from __future__ import annotations

from alembic import op

revision = "0036_refunds"
down_revision = "0035_idle_days"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        "CREATE INDEX payments_given_back ON payments (project_id, occurred_at) WHERE kind IN ('refund', 'chargeback')"
    )


def downgrade() -> None:
    """Drop."""
    op.execute("DROP INDEX payments_given_back")
