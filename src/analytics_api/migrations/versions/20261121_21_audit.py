"""The audit log: who did what. Rows are added, ended once, and never changed or deleted after that."""

from __future__ import annotations

from alembic import op

revision = "0021_audit"
down_revision = "0020_privacy_policies"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.execute(
        """
        CREATE TABLE audit_log (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL,
            project_id integer,
            actor text NOT NULL,
            action text NOT NULL,
            target text,
            before jsonb,
            after jsonb,
            request_id text,
            outcome text
        )
        """
    )
    op.execute("CREATE INDEX audit_log_project ON audit_log (project_id, id)")
    op.execute(
        """
        CREATE FUNCTION audit_log_keep() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit log is append-only';
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER audit_log_ended BEFORE UPDATE ON audit_log
        FOR EACH ROW WHEN (OLD.outcome IS NOT NULL) EXECUTE FUNCTION audit_log_keep()
        """
    )
    op.execute(
        """
        CREATE TRIGGER audit_log_kept BEFORE DELETE OR TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION audit_log_keep()
        """
    )


def downgrade() -> None:
    """Drop."""
    op.execute("DROP TABLE audit_log")
    op.execute("DROP FUNCTION audit_log_keep")
