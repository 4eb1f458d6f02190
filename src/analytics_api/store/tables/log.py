"""The log of events, and who reads it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from analytics_api.store.tables.base import count, metadata, time

event_seq = Sequence("event_seq", metadata=metadata)

events = Table(
    "events",
    metadata,
    Column(
        "seq",
        BigInteger,
        nullable=False,
        primary_key=True,
        server_default=text("nextval('event_seq'::regclass)"),
    ),
    Column("project_id", Integer, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("person_id", Uuid, nullable=False, primary_key=True),
    Column("has_person", Boolean, nullable=False),
    Column("is_bot", Boolean, nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("user_id", Text),
    Column("anonymous_id", Text),
    Column("session_id", Text),
    Column("event_type", Text, nullable=False),
    Column("event_data", JSONB, nullable=False),
    Column("user_properties", JSONB),
    Column("context", JSONB, nullable=False),
    Column("revenue", Numeric),
    Column("currency", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False, primary_key=True),
    time("received_at"),
    Index("events_project_seq", "project_id", "seq"),
    Index("events_project_type_time", "project_id", "event_type", "occurred_at"),
    postgresql_partition_by="RANGE (occurred_at)",
)

event_keys = Table(
    "event_keys",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    time("received_at"),
    Index("event_keys_received", "received_at", postgresql_using="brin"),
)

partitions = Table(
    "partitions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lower", DateTime(timezone=True), nullable=False, unique=True),
    time("upper"),
)

event_groups = Table(
    "event_groups",
    metadata,
    Column("project_id", Integer, nullable=False),
    time("lower"),
    Column("after_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("events", Integer, nullable=False),
    time("received_at"),
    Index("event_groups_project_seq", "project_id", "last_seq"),
)

partition_ranges = Table(
    "partition_ranges",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("lower", DateTime(timezone=True), primary_key=True),
    Column("after_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    time("last_received_at"),
)

event_outbox = Table(
    "event_outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("event", JSONB, nullable=False),
    time("created_at"),
)

imports = Table(
    "imports",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("name", Text, nullable=False),
    count("lines"),
    count("accepted"),
    count("duplicates"),
    count("rejected"),
    Column("finished", Boolean, nullable=False),
    time("started_at"),
    time("updated_at"),
)

readers = Table(
    "readers",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("reason", Text),
    Column("credentials", Text),
    Column("lease_owner", Text),
    Column("lease_epoch", BigInteger, nullable=False, server_default=text("0")),
    time("lease_until", nullable=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    time("retry_at", nullable=True),
    Column("last_error", Text),
    time("last_error_at", nullable=True),
    time("updated_at"),
    Column("start_position", BigInteger),
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lease_owner", Text),
    time("lease_until", nullable=True),
    time("last_started_at", nullable=True),
    time("last_finished_at", nullable=True),
    Column("last_error", Text),
    time("last_succeeded_at", nullable=True),
)

request_minutes = Table(
    "request_minutes",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("minute", DateTime(timezone=True), primary_key=True),
    Column("method", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("status", SmallInteger, primary_key=True),
    Column("caller", Text, primary_key=True),
    count("requests"),
    Column("seconds", Numeric, nullable=False, server_default=text("0")),
    Column("slowest", Numeric, nullable=False, server_default=text("0")),
)
