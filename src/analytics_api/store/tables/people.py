"""People, and what is counted of each."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from analytics_api.store.tables.base import count, metadata, time

persons = Table(
    "persons",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("user_id", Text),
    Column("anonymous_id", Text),
    time("first_seen_at"),
    time("last_seen_at"),
    Column("first_day", Date),
    Column("first_day_with_bots", Date, nullable=False),
    Column("last_active_day", Date),
    Column("last_active_day_with_bots", Date),
    time("first_signup_at", nullable=True),
    Column("first_signup_day", Date),
    time("first_payment_at", nullable=True),
    Column("first_touch", JSONB),
    time("first_touch_at", nullable=True),
    Column("first_touch_seq", BigInteger),
    Column("properties", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("property_times", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Index("persons_project_first_day", "project_id", "first_day"),
    Index("persons_project_first_day_with_bots", "project_id", "first_day_with_bots"),
    Index("persons_project_signup_day", "project_id", "first_signup_day"),
    Index(
        "persons_project_first_payment",
        "project_id",
        "first_payment_at",
        postgresql_where=text("first_payment_at IS NOT NULL"),
    ),
    Index(
        "persons_project_payers",
        "project_id",
        "first_signup_day",
        postgresql_where=text("first_payment_at IS NOT NULL"),
    ),
)

person_days = Table(
    "person_days",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("active_with_bots", Boolean, nullable=False),
    count("events"),
    Index(
        "person_days_project_day",
        "project_id",
        "day",
        postgresql_include=["person_id", "active", "active_with_bots"],
    ),
    Index(
        "person_days_idle",
        "project_id",
        "day",
        postgresql_include=["person_id"],
        postgresql_where=text("NOT active"),
    ),
)

person_firsts = Table(
    "person_firsts",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("event_type", Text, primary_key=True),
    Column("project_id", Integer, nullable=False),
    time("first_at", nullable=True),
    time("first_at_with_bots"),
    Index("person_firsts_type", "project_id", "event_type", "first_at"),
)

person_links = Table(
    "person_links",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("other_id", Uuid, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("known", Boolean, nullable=False),
    time("claimed_at", nullable=True),
    time("trusted_at", nullable=True),
    time("joined_at", nullable=True),
    time("undone_at", nullable=True),
    Index("person_links_other", "other_id", postgresql_where=text("known")),
)

person_merges = Table(
    "person_merges",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("canonical_id", Uuid, nullable=False),
    Column("project_id", Integer, nullable=False),
    Index("person_merges_canonical", "canonical_id"),
)

rollup_failures = Table(
    "rollup_failures",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("error", Text, nullable=False),
    Column("failed_at", DateTime(timezone=True), nullable=False),
)

last_active_days = Table(
    "last_active_days",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    count("persons"),
    count("persons_with_bots"),
)

event_days = Table(
    "event_days",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("event_type", Text, primary_key=True),
    Column("is_bot", Boolean, primary_key=True),
    count("events"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("started_at", DateTime(timezone=True), primary_key=True),
    time("ended_at"),
    Column("project_id", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("is_bot", Boolean, nullable=False),
    Column("events", Integer, nullable=False),
    Column("page_views", Integer, nullable=False),
    Index("sessions_project_day", "project_id", "day"),
)

cohorts = Table(
    "cohorts",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("behaviour", JSONB),
    time("created_at"),
    time("updated_at"),
    Index("cohorts_name", "project_id", "name", unique=True),
)

cohort_members = Table(
    "cohort_members",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("cohort_id", Integer, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Index("cohort_members_cohort", "cohort_id"),
)
