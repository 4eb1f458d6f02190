"""What projects decide about personal data, counts of what was kept out, and salts of visitor ids."""

from __future__ import annotations

from alembic import op

revision = "0020_privacy_policies"
down_revision = "0019_logins"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE privacy_policies (
        project_id integer PRIMARY KEY,
        policy jsonb NOT NULL,
        hash_key bytea NOT NULL,
        version bigint NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE privacy_counts (
        project_id integer NOT NULL,
        day date NOT NULL,
        rule text NOT NULL,
        subject text NOT NULL,
        action text NOT NULL,
        number bigint DEFAULT 0 NOT NULL,
        PRIMARY KEY (project_id, day, rule, subject, action)
    )
    """,
    # Unlogged: a salt must not outlive its day in the write-ahead log or in a backup made of it.
    """
    CREATE UNLOGGED TABLE visitor_salts (
        project_id integer NOT NULL,
        day date NOT NULL,
        salt bytea NOT NULL,
        PRIMARY KEY (project_id, day)
    )
    """,
)

DROP = ("DROP TABLE visitor_salts", "DROP TABLE privacy_counts", "DROP TABLE privacy_policies")


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
