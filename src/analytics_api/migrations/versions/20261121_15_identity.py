"""Which ids are one person."""

from __future__ import annotations

from alembic import op

revision = "0015_identity"
down_revision = "0014_delivery_answers"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE person_links (
        person_id uuid NOT NULL,
        other_id uuid NOT NULL,
        project_id integer NOT NULL,
        known boolean NOT NULL,
        claimed_at timestamptz,
        trusted_at timestamptz,
        joined_at timestamptz,
        undone_at timestamptz,
        PRIMARY KEY (person_id, other_id)
    )
    """,
    """
    CREATE INDEX person_links_other ON person_links (other_id) WHERE known
    """,
    """
    CREATE TABLE person_merges (
        person_id uuid NOT NULL,
        canonical_id uuid NOT NULL,
        project_id integer NOT NULL,
        PRIMARY KEY (person_id)
    )
    """,
    """
    CREATE INDEX person_merges_canonical ON person_merges (canonical_id)
    """,
    """
    CREATE INDEX payments_person ON payments (person_id)
    """,
    """
    CREATE INDEX subscription_changes_person ON subscription_changes (person_id)
    """,
)

DROP = (
    "DROP INDEX subscription_changes_person",
    "DROP INDEX payments_person",
    "DROP TABLE person_merges",
    "DROP TABLE person_links",
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
