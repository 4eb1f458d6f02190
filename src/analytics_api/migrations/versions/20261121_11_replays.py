"""Replays: stretches of the log that go to a destination again, or for the first time, beside the live events."""

from __future__ import annotations

from alembic import op

revision = "0011_replays"
down_revision = "0010_rate_limits"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE replays (
        id bigint GENERATED ALWAYS AS IDENTITY,
        project_id integer NOT NULL,
        destination text NOT NULL,
        backfill boolean NOT NULL,
        choice jsonb NOT NULL,
        after_seq bigint NOT NULL,
        upto_seq bigint NOT NULL,
        allow_repetitions boolean NOT NULL,
        estimated bigint,
        position bigint NOT NULL,
        events_per_second integer NOT NULL,
        next_at timestamptz NOT NULL,
        state text DEFAULT 'running' NOT NULL,
        reason text,
        created_at timestamptz NOT NULL,
        finished_at timestamptz,
        PRIMARY KEY (id),
        CHECK (state IN ('running', 'done', 'failed', 'cancelled'))
    )
    """,
    """
    CREATE INDEX replays_destination ON replays (project_id, destination, id)
    """,
    """
    ALTER TABLE readers ADD COLUMN start_position bigint
    """,
)

DROP = (
    "DELETE FROM readers WHERE starts_with(name, 'replay:')",
    "ALTER TABLE readers DROP COLUMN start_position",
    "DROP TABLE replays",
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
