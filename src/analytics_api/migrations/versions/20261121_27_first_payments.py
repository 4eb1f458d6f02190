"""New customers of a month are found without looking at all payments."""

from __future__ import annotations

from alembic import op

revision = "0027_first_payments"
down_revision = "0026_second_factors"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        "CREATE INDEX persons_project_first_payment ON persons (project_id, first_payment_at) WHERE first_payment_at IS NOT NULL"
    )


def downgrade() -> None:
    """Drop."""
    op.execute("DROP INDEX persons_project_first_payment")
