"""Alert rules, and who is told."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
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

from analytics_api.store.tables.base import metadata, time

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("hold_seconds", Integer, nullable=False),
    Column("clear_seconds", Integer, nullable=False),
    Column("remind_hours", Integer),
    Column("channel_ids", ARRAY(Integer)),
    Column("enabled", Boolean, nullable=False),
    time("created_at"),
    time("updated_at"),
    time("evaluated_at", nullable=True),
    Column("last_error", Text),
    Index("alert_rules_name", "project_id", "name", unique=True),
)

alert_defaults = Table(
    "alert_defaults",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
)

alert_channels = Table(
    "alert_channels",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("options", JSONB, nullable=False),
    Column("secrets", LargeBinary),
    Column("secret_names", ARRAY(Text), nullable=False),
    time("created_at"),
    time("updated_at"),
    Column("claim", Uuid),
    time("claimed_until", nullable=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    time("retry_at", nullable=True),
    Column("last_error", Text),
    time("last_error_at", nullable=True),
    time("last_sent_at", nullable=True),
    Index("alert_channels_name", "project_id", "name", unique=True),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("rule_id", Integer, nullable=False),
    Column("rule_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    time("since"),
    time("started_at", nullable=True),
    time("clear_since", nullable=True),
    time("ended_at", nullable=True),
    time("acknowledged_at", nullable=True),
    time("notified_at", nullable=True),
    Column("value", Double),
    Column("text", Text, nullable=False),
    Index("alerts_open", "rule_id", "subject", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("alerts_project", "project_id", "id"),
)

alert_notifications = Table(
    "alert_notifications",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message_id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    Column("channel_id", Integer, nullable=False),
    Column("alert_id", BigInteger, nullable=False),
    Column("notice", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    time("created_at"),
    time("ended_at", nullable=True),
    Column("last_error", Text),
    Index("alert_notifications_waiting", "channel_id", "id", postgresql_where=text("state = 'waiting'")),
)
