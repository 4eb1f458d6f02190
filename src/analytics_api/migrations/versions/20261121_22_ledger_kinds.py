"""Ledgers also know a payment's other ids, and subscriptions whose payment is overdue."""

from __future__ import annotations

from alembic import op

revision = "0022_ledger_kinds"
down_revision = "0021_audit"
branch_labels = None
depends_on = None

PAYMENTS = "'payment', 'failure', 'refund', 'chargeback'"
CHANGES = "'created', 'renewed', 'upgraded', 'downgraded', 'cancelled'"


def _allow(table: str, kinds: str) -> None:
    op.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_kind_check, "
        f"ADD CONSTRAINT {table}_kind_check CHECK (kind IN ({kinds}))"
    )


def upgrade() -> None:
    """Allow two more kinds."""
    _allow("payments", f"{PAYMENTS}, 'alias'")
    _allow("subscription_changes", f"{CHANGES}, 'past_due'")


def downgrade() -> None:
    """Forget the entries of these kinds, which the older version does not understand."""
    op.execute("DELETE FROM payments WHERE kind = 'alias'")
    op.execute("DELETE FROM subscription_changes WHERE kind = 'past_due'")
    _allow("payments", PAYMENTS)
    _allow("subscription_changes", CHANGES)
