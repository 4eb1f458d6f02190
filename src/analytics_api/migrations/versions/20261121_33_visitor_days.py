"""On which days visitors got ids that live for a day, so that figures of several days are labelled."""

from __future__ import annotations

from alembic import op

revision = "0033_visitor_days"
down_revision = "0032_shares"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add. Of days that are over nothing is known any more: their salts are destroyed."""
    op.execute("ALTER TABLE projects ADD COLUMN visitor_days_first date, ADD COLUMN visitor_days_last date")
    op.execute(
        """
        UPDATE projects p SET visitor_days_first = salts.first, visitor_days_last = salts.last
        FROM (SELECT project_id, min(day) AS first, max(day) AS last FROM visitor_salts GROUP BY project_id) AS salts
        WHERE p.id = salts.project_id
        """
    )


def downgrade() -> None:
    """Take away."""
    op.execute("ALTER TABLE projects DROP COLUMN visitor_days_first, DROP COLUMN visitor_days_last")
