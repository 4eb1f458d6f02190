"""Ledgers of money, and figures."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from analytics_api.store.tables.base import count, metadata, time

payments = Table(
    "payments",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("entry_id", Text, primary_key=True),
    Column("payment_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("person_id", Uuid, nullable=False),
    Column("has_person", Boolean, nullable=False),
    Column("is_bot", Boolean, nullable=False),
    time("occurred_at"),
    Column("day", Date, nullable=False),
    Column("amount", Numeric),
    Column("currency", Text),
    Index("payments_project_day", "project_id", "day"),
    Index("payments_project_payment", "project_id", "payment_id"),
    Index("payments_person", "person_id"),
    Index(
        "payments_given_back",
        "project_id",
        "occurred_at",
        postgresql_where=text("kind IN ('refund', 'chargeback')"),
    ),
)

subscription_changes = Table(
    "subscription_changes",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("subscription_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("person_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    time("occurred_at"),
    time("effective_at"),
    Column("mrr", Numeric),
    Column("currency", Text),
    Index("subscription_changes_project_time", "project_id", "effective_at"),
    Index("subscription_changes_person", "person_id"),
)

exchange_rates = Table(
    "exchange_rates",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("rate", Numeric, nullable=False),
)

spend = Table(
    "spend",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("start_day", Date, nullable=False),
    Column("end_day", Date, nullable=False),
    Column("channel", Text, nullable=False),
    Column("campaign", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Index("spend_entry", "project_id", "start_day", "end_day", "channel", "campaign", unique=True),
)

project_days = Table(
    "project_days",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("state", Text, nullable=False),
    time("closed_at"),
    Index("project_days_sealed", "project_id", "day", postgresql_where=text("state = 'sealed'")),
)

late_unapplied = Table(
    "late_unapplied",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    count("events"),
    time("last_at"),
)

dirty_days = Table(
    "dirty_days",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("cause", Text, primary_key=True),
    count("events"),
    time("marked_at"),
)

aggregated_metrics = Table(
    "aggregated_metrics",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("metric_type", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("metric_date", Date, primary_key=True),
    Column("value", Numeric),
    Column("numerator", Numeric),
    Column("denominator", Numeric),
    Column("state", Text, nullable=False),
    Column("definition_version", Integer, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    time("calculated_at"),
    Column("stale", Text),
)

custom_metrics = Table(
    "custom_metrics",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("definition", JSONB),
    time("changed_at"),
)

goals = Table(
    "goals",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("target", Numeric, nullable=False),
    Column("period", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date),
    time("created_at"),
    time("updated_at"),
    Index("goals_project", "project_id", "id"),
)

metric_revisions = Table(
    "metric_revisions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("metric_type", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("metric_date", Date, nullable=False),
    Column("old_value", Numeric),
    Column("new_value", Numeric),
    Column("cause", Text, nullable=False),
    time("changed_at"),
    Index("metric_revisions_metric", "project_id", "metric_type", "period", "metric_date"),
)
