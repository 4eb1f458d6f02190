"""Erasure, anonymisation: jobs, persons who are kept out, deletions at providers."""

from __future__ import annotations

from alembic import op

revision = "0029_erasure"
down_revision = "0028_bi_views"
branch_labels = None
depends_on = None

CREATE = (
    """
    CREATE TABLE privacy_jobs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        project_id integer NOT NULL,
        kind text NOT NULL,
        state text NOT NULL,
        stage text NOT NULL,
        subject jsonb NOT NULL,
        progress jsonb DEFAULT '{}' NOT NULL,
        report jsonb,
        requested_by text NOT NULL,
        created_at timestamptz NOT NULL,
        started_at timestamptz,
        finished_at timestamptz,
        retry_at timestamptz NOT NULL,
        error text,
        lease_owner text,
        lease_until timestamptz,
        lease_epoch bigint DEFAULT 0 NOT NULL
    )
    """,
    "CREATE INDEX privacy_jobs_project ON privacy_jobs (project_id, id)",
    "CREATE INDEX privacy_jobs_due ON privacy_jobs (retry_at) WHERE state <> 'done'",
    """
    CREATE TABLE privacy_job_persons (
        job_id bigint NOT NULL,
        person_id uuid NOT NULL,
        PRIMARY KEY (job_id, person_id)
    )
    """,
    """
    CREATE TABLE suppressed_persons (
        person_id uuid PRIMARY KEY,
        project_id integer NOT NULL,
        job_id bigint NOT NULL,
        since timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE provider_deletions (
        job_id bigint NOT NULL,
        destination text NOT NULL,
        project_id integer NOT NULL,
        state text NOT NULL,
        tracking text[] NOT NULL,
        attempts integer DEFAULT 0 NOT NULL,
        words text DEFAULT '' NOT NULL,
        requested_at timestamptz,
        ended_at timestamptz,
        next_at timestamptz NOT NULL,
        PRIMARY KEY (job_id, destination)
    )
    """,
)

DROP = tuple(
    f"DROP TABLE {table}"
    for table in ("provider_deletions", "suppressed_persons", "privacy_job_persons", "privacy_jobs")
)


def upgrade() -> None:
    """Create."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop."""
    for statement in DROP:
        op.execute(statement)
