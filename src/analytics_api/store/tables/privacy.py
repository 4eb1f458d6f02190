"""What is kept of people's wishes, and of what was erased."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from analytics_api.store.tables.base import count, metadata, time

privacy_policies = Table(
    "privacy_policies",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("policy", JSONB, nullable=False),
    Column("hash_key", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
    time("updated_at"),
)

retention_periods = Table(
    "retention_periods",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("event_type", Text, primary_key=True),
    Column("days", Integer, nullable=False),
    time("updated_at"),
)

retention_states = Table(
    "retention_states",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    time("started_at"),
    time("finished_at", nullable=True),
    count("events"),
    Column("partitions", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("blocked", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    time("blocked_since", nullable=True),
)

privacy_counts = Table(
    "privacy_counts",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    count("number"),
)

visitor_salts = Table(
    "visitor_salts",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    prefixes=["UNLOGGED"],
)

privacy_jobs = Table(
    "privacy_jobs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("subject", JSONB, nullable=False),
    Column("progress", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("report", JSONB),
    Column("requested_by", Text, nullable=False),
    time("created_at"),
    time("started_at", nullable=True),
    time("finished_at", nullable=True),
    time("retry_at"),
    Column("error", Text),
    Column("lease_owner", Text),
    time("lease_until", nullable=True),
    Column("lease_epoch", BigInteger, nullable=False, server_default=text("0")),
    Index("privacy_jobs_project", "project_id", "id"),
    Index("privacy_jobs_due", "retry_at", postgresql_where=text("state <> 'done'")),
)

privacy_job_persons = Table(
    "privacy_job_persons",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("person_id", Uuid, primary_key=True),
)

suppressed_persons = Table(
    "suppressed_persons",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("job_id", BigInteger, nullable=False),
    time("since"),
)

provider_deletions = Table(
    "provider_deletions",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("tracking", ARRAY(Text), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("words", Text, nullable=False, server_default=text("''")),
    time("requested_at", nullable=True),
    time("ended_at", nullable=True),
    time("next_at"),
)

consent_changes = Table(
    "consent_changes",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("changed_at", DateTime(timezone=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("consent", JSONB, nullable=False),
    Column("source", Text, nullable=False),
    time("received_at"),
    Index("consent_changes_project", "project_id", "received_at"),
)
