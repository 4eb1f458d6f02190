"""Rules of destinations, and under which event type a parked event may already have arrived."""

from __future__ import annotations

from alembic import op

revision = "0016_destination_rules"
down_revision = "0015_identity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        """
        CREATE TABLE destination_rules (
            project_id integer NOT NULL,
            destination text NOT NULL,
            rules jsonb NOT NULL,
            version bigint NOT NULL,
            changed_at timestamptz NOT NULL,
            PRIMARY KEY (project_id, destination)
        )
        """
    )
    op.execute("ALTER TABLE parked_events ADD COLUMN sent_as text")


def downgrade() -> None:
    """Drop."""
    op.execute("ALTER TABLE parked_events DROP COLUMN sent_as")
    op.execute("DROP TABLE destination_rules")
