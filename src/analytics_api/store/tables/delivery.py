"""What became of events at destinations."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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

delivery_counts = Table(
    "delivery_counts",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("event_type", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("reason", Text, primary_key=True, server_default=text("''")),
    count("events"),
)

delivery_answers = Table(
    "delivery_answers",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    count("requests"),
    count("sent"),
    count("unanswered"),
    count("acknowledged"),
    count("counted"),
    count("events"),
    count("records"),
    count("repeated"),
    count("dead"),
    count("unknown"),
    count("duplicates"),
    count("uncounted"),
)

parked_events = Table(
    "parked_events",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("person_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("event_type", Text, nullable=False),
    time("occurred_at"),
    time("received_at"),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    time("parked_at"),
    time("uncertain_since", nullable=True),
    time("retry_at"),
    Column("sent_as", Text),
    Index("parked_events_due", "project_id", "destination", "retry_at"),
)

dead_events = Table(
    "dead_events",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("person_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("event_type", Text, nullable=False),
    time("occurred_at"),
    time("received_at"),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    time("died_at"),
    Column("kind", Text, nullable=False, server_default=text("'refused'")),
    time("discarded_at", nullable=True),
    Column("discard_reason", Text),
    Index("dead_events_newest", "project_id", "died_at", "seq"),
)

single_attempts = Table(
    "single_attempts",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("person_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    time("begun_at"),
)

sandbox_payloads = Table(
    "sandbox_payloads",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("person_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    time("logged_at"),
    Index("sandbox_payloads_project", "project_id", "id"),
)

destinations = Table(
    "destinations",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("options", JSONB, nullable=False),
    Column("secrets", LargeBinary),
    Column("secret_names", ARRAY(Text), nullable=False),
    Column("start", Text, nullable=False),
    Column("version", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    time("created_at"),
    time("updated_at"),
)

replays = Table(
    "replays",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("destination", Text, nullable=False),
    Column("backfill", Boolean, nullable=False),
    Column("choice", JSONB, nullable=False),
    Column("after_seq", BigInteger, nullable=False),
    Column("upto_seq", BigInteger, nullable=False),
    Column("allow_repetitions", Boolean, nullable=False),
    Column("estimated", BigInteger),
    Column("position", BigInteger, nullable=False),
    Column("events_per_second", Integer, nullable=False),
    time("next_at"),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("reason", Text),
    time("created_at"),
    time("finished_at", nullable=True),
    Index("replays_destination", "project_id", "destination", "id"),
)

destination_rules = Table(
    "destination_rules",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("rules", JSONB, nullable=False),
    Column("version", BigInteger, nullable=False),
    time("changed_at"),
)
