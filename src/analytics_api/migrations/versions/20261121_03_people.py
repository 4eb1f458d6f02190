"""People and what is counted about them."""

from __future__ import annotations

from alembic import op

revision = "0003_people"
down_revision = "0002_readers"
branch_labels = None
depends_on = None

# Rows that change with every chunk leave room on their page for the next version, so that no index is touched.
CREATE = (
    """
    CREATE TABLE persons (
        person_id uuid NOT NULL,
        project_id integer NOT NULL,
        user_id text,
        anonymous_id text,
        first_seen_at timestamptz NOT NULL,
        last_seen_at timestamptz NOT NULL,
        first_day date,
        first_day_with_bots date NOT NULL,
        last_active_day date,
        last_active_day_with_bots date,
        first_signup_at timestamptz,
        first_signup_day date,
        first_payment_at timestamptz,
        properties jsonb DEFAULT '{}'::jsonb NOT NULL,
        property_times jsonb DEFAULT '{}'::jsonb NOT NULL,
        PRIMARY KEY (person_id)
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE INDEX persons_project_first_day ON persons (project_id, first_day)
    """,
    """
    CREATE INDEX persons_project_first_day_with_bots ON persons (project_id, first_day_with_bots)
    """,
    """
    CREATE INDEX persons_project_signup_day ON persons (project_id, first_signup_day)
    """,
    """
    CREATE INDEX persons_project_payers ON persons (project_id, first_signup_day) WHERE first_payment_at IS NOT NULL
    """,
    """
    CREATE TABLE person_days (
        person_id uuid NOT NULL,
        day date NOT NULL,
        project_id integer NOT NULL,
        active boolean NOT NULL,
        active_with_bots boolean NOT NULL,
        events bigint DEFAULT 0 NOT NULL,
        PRIMARY KEY (person_id, day)
    ) WITH (fillfactor = 90)
    """,
    """
    CREATE INDEX person_days_project_day ON person_days (project_id, day) INCLUDE (person_id, active, active_with_bots)
    """,
    """
    CREATE TABLE last_active_days (
        project_id integer NOT NULL,
        day date NOT NULL,
        persons bigint DEFAULT 0 NOT NULL,
        persons_with_bots bigint DEFAULT 0 NOT NULL,
        PRIMARY KEY (project_id, day)
    )
    """,
    """
    CREATE TABLE event_days (
        project_id integer NOT NULL,
        day date NOT NULL,
        event_type text NOT NULL,
        is_bot boolean NOT NULL,
        events bigint DEFAULT 0 NOT NULL,
        PRIMARY KEY (project_id, day, event_type, is_bot)
    )
    """,
    """
    CREATE TABLE sessions (
        person_id uuid NOT NULL,
        device text NOT NULL,
        started_at timestamptz NOT NULL,
        ended_at timestamptz NOT NULL,
        project_id integer NOT NULL,
        day date NOT NULL,
        is_bot boolean NOT NULL,
        events integer NOT NULL,
        page_views integer NOT NULL,
        PRIMARY KEY (person_id, device, started_at)
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE INDEX sessions_project_day ON sessions (project_id, day)
    """,
)

DROP = (
    "DROP TABLE sessions",
    "DROP TABLE event_days",
    "DROP TABLE last_active_days",
    "DROP TABLE person_days",
    "DROP TABLE persons",
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
