"""Goals."""

from __future__ import annotations

from alembic import op

revision = "0024_goals"
down_revision = "0023_allowed_origins"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE goals (
        id bigint GENERATED ALWAYS AS IDENTITY,
        project_id integer NOT NULL,
        title text NOT NULL,
        metric text NOT NULL,
        direction text NOT NULL,
        target numeric NOT NULL,
        period text NOT NULL,
        starts_on date NOT NULL,
        ends_on date,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (id),
        CHECK (direction IN ('at_least', 'at_most')),
        CHECK (period IN ('week', 'month', 'until'))
    )
    """,
    """
    CREATE INDEX goals_project ON goals (project_id, id)
    """,
)

DROP = ("DROP TABLE goals",)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
