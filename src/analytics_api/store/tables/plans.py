"""Tracking plans, and what they found."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from analytics_api.store.tables.base import metadata, time

tracking_plans = Table(
    "tracking_plans",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("mode", Text, nullable=False),
    Column("unknown_types", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    time("updated_at"),
)

plan_event_types = Table(
    "plan_event_types",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("event_type", Text, primary_key=True),
    Column("schema", Text, nullable=False),
    Column("description", Text, nullable=False),
    time("updated_at"),
)

quarantined_events = Table(
    "quarantined_events",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("project_id", Integer, nullable=False),
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
    time("occurred_at"),
    time("received_at"),
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("quarantined_events_project", "project_id", "received_at", "event_id"),
    Index("quarantined_events_type", "project_id", "event_type"),
)

ingestion_warnings = Table(
    "ingestion_warnings",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("event_type", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("events", BigInteger, nullable=False),
    time("first_seen"),
    time("last_seen"),
    Column("message", Text, nullable=False),
    Column("sample", Text),
)
