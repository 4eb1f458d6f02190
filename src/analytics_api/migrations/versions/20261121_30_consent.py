"""Consent as it changed, kept as proof."""

from __future__ import annotations

from alembic import op

revision = "0030_consent"
down_revision = "0029_erasure"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE consent_changes (
        person_id uuid NOT NULL,
        changed_at timestamptz NOT NULL,
        project_id integer NOT NULL,
        consent jsonb NOT NULL,
        source text NOT NULL,
        received_at timestamptz NOT NULL,
        PRIMARY KEY (person_id, changed_at)
    )
    """,
    "CREATE INDEX consent_changes_project ON consent_changes (project_id, received_at)",
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    op.execute("DROP TABLE consent_changes")
