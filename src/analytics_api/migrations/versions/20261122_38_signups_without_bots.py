"""The first signup of a person is no bot's; that of anybody is among the first times of all types of event."""

from __future__ import annotations

from alembic import op

revision = "0038_signups_without_bots"
down_revision = "0037_person_firsts"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Whoever counts meanwhile waits: they would write the first signup as it was.
    "LOCK TABLE readers IN SHARE MODE",
    """
    -- Signups whose events retention has removed before first times were kept. Nobody knows whose they were.
    INSERT INTO person_firsts AS known (person_id, event_type, project_id, first_at, first_at_with_bots)
    SELECT p.person_id, 'signup_completed', p.project_id, p.first_signup_at, p.first_signup_at
    FROM persons p LEFT JOIN person_firsts f ON f.person_id = p.person_id AND f.event_type = 'signup_completed'
    WHERE p.first_signup_at < coalesce(f.first_at_with_bots, 'infinity')
    ON CONFLICT (person_id, event_type) DO UPDATE SET
        first_at = excluded.first_at, first_at_with_bots = excluded.first_at_with_bots
    """,
    """
    UPDATE persons p SET
        first_signup_at = f.first_at, first_signup_day = (f.first_at AT TIME ZONE projects.time_zone)::date
    FROM person_firsts f JOIN projects ON projects.id = f.project_id
    WHERE f.person_id = p.person_id AND f.event_type = 'signup_completed'
      AND p.first_signup_at IS DISTINCT FROM f.first_at AND p.first_signup_at = f.first_at_with_bots
    """,
)


def upgrade() -> None:
    """Take bots out."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Put them in again."""
    op.execute(
        """
        UPDATE persons p SET first_signup_at = f.first_at_with_bots,
            first_signup_day = (f.first_at_with_bots AT TIME ZONE projects.time_zone)::date
        FROM person_firsts f JOIN projects ON projects.id = f.project_id
        WHERE f.person_id = p.person_id AND f.event_type = 'signup_completed'
        """
    )
