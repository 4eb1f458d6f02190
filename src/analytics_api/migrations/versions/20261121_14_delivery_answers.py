"""Events that a destination has read, counted beside their ends; what the providers' answers came to."""

from __future__ import annotations

from alembic import op

revision = "0014_delivery_answers"
down_revision = "0013_dead_letters"
branch_labels = None
depends_on = None

CONSTRAINT = "delivery_counts_outcome_check"
ENDS = "'delivered', 'skipped', 'dead', 'unknown'"

READ_SO_FAR = """
    INSERT INTO delivery_counts (project_id, destination, hour, event_type, outcome, events)
    SELECT project_id, destination, hour, event_type, 'read', sum(events)
    FROM (
        SELECT project_id, destination, hour, event_type, events FROM delivery_counts
        UNION ALL
        SELECT project_id, destination, date_trunc('hour', received_at, 'UTC'), event_type, 1 FROM parked_events
    ) AS passed GROUP BY project_id, destination, hour, event_type
"""

ANSWERS = """
    CREATE TABLE delivery_answers (
        project_id integer NOT NULL,
        destination text NOT NULL,
        hour timestamptz NOT NULL,
        requests bigint DEFAULT 0 NOT NULL,
        sent bigint DEFAULT 0 NOT NULL,
        unanswered bigint DEFAULT 0 NOT NULL,
        acknowledged bigint DEFAULT 0 NOT NULL,
        counted bigint DEFAULT 0 NOT NULL,
        events bigint DEFAULT 0 NOT NULL,
        records bigint DEFAULT 0 NOT NULL,
        repeated bigint DEFAULT 0 NOT NULL,
        dead bigint DEFAULT 0 NOT NULL,
        unknown bigint DEFAULT 0 NOT NULL,
        duplicates bigint DEFAULT 0 NOT NULL,
        uncounted bigint DEFAULT 0 NOT NULL,
        PRIMARY KEY (project_id, destination, hour)
    )
"""


def upgrade() -> None:
    """Create, and count what has been read so far."""
    op.execute(f"ALTER TABLE delivery_counts DROP CONSTRAINT {CONSTRAINT}")
    op.execute(f"ALTER TABLE delivery_counts ADD CONSTRAINT {CONSTRAINT} CHECK (outcome IN ({ENDS}, 'read'))")
    op.execute(READ_SO_FAR)
    op.execute(ANSWERS)


def downgrade() -> None:
    """Drop."""
    op.execute("DROP TABLE delivery_answers")
    op.execute("DELETE FROM delivery_counts WHERE outcome = 'read'")
    op.execute(f"ALTER TABLE delivery_counts DROP CONSTRAINT {CONSTRAINT}")
    op.execute(f"ALTER TABLE delivery_counts ADD CONSTRAINT {CONSTRAINT} CHECK (outcome IN ({ENDS}))")
