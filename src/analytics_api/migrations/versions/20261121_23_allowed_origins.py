"""Origins whose pages a project takes events from."""

from __future__ import annotations

from alembic import op

revision = "0023_allowed_origins"
down_revision = "0022_ledger_kinds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute("ALTER TABLE projects ADD COLUMN allowed_origins text[] DEFAULT '{}' NOT NULL")


def downgrade() -> None:
    """Drop."""
    op.execute("ALTER TABLE projects DROP COLUMN allowed_origins")
