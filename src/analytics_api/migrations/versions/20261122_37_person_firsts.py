"""When each person first did each type of event, for good; filled from what has been counted."""

from __future__ import annotations

from alembic import op

revision = "0037_person_firsts"
down_revision = "0036_refunds"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE person_firsts (
        person_id uuid NOT NULL,
        event_type text NOT NULL,
        project_id integer NOT NULL,
        first_at timestamptz,
        first_at_with_bots timestamptz NOT NULL,
        PRIMARY KEY (person_id, event_type)
    )
    """,
    # Whoever counts meanwhile waits: what they count would be missing.
    "LOCK TABLE readers IN SHARE MODE",
    """
    INSERT INTO person_firsts (person_id, event_type, project_id, first_at, first_at_with_bots)
    SELECT coalesce(m.canonical_id, e.person_id), e.event_type, e.project_id, min(e.occurred_at) FILTER (WHERE NOT e.is_bot),
           min(e.occurred_at)
    FROM readers r JOIN events e ON e.project_id = r.project_id AND e.seq <= r.position
    LEFT JOIN person_merges m ON m.person_id = e.person_id
    WHERE r.name = 'rollups' AND e.has_person
      AND NOT EXISTS (SELECT 1 FROM rollup_failures f WHERE f.project_id = e.project_id AND f.seq = e.seq)
    GROUP BY 1, 2, 3
    """,
    "CREATE INDEX person_firsts_type ON person_firsts (project_id, event_type, first_at)",
)


def upgrade() -> None:
    """Create and fill."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    op.execute("DROP TABLE person_firsts")
