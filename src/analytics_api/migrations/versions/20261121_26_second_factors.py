"""Second factors of logins."""

from __future__ import annotations

from alembic import op

revision = "0026_second_factors"
down_revision = "0025_cohorts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        """
        ALTER TABLE users
            ADD COLUMN totp_secret bytea,
            ADD COLUMN totp_step bigint,
            ADD COLUMN second_factor_at timestamptz
        """
    )


def downgrade() -> None:
    """Drop."""
    op.execute(
        "ALTER TABLE users DROP COLUMN totp_secret, DROP COLUMN totp_step, DROP COLUMN second_factor_at"
    )
