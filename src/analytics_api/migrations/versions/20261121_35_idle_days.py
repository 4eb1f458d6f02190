"""Days on which nothing made a person active are found without those on which something did."""

from __future__ import annotations

from alembic import op

revision = "0035_idle_days"
down_revision = "0034_saved_views"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        "CREATE INDEX person_days_idle ON person_days (project_id, day) INCLUDE (person_id) WHERE NOT active"
    )


def downgrade() -> None:
    """Drop."""
    op.execute("DROP INDEX person_days_idle")
