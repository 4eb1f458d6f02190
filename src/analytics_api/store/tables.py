"""All tables, as SQLAlchemy sees them. The migrations are the truth; a test holds the two together.

Rules for person-keyed tables (events, event_keys, persons, person_days, person_links, sessions, cohort_members), so that they can be distributed
by person later: `person_id` is in every key and never updated, no other unique constraint, no foreign key, no trigger.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()


def _time(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _count(name: str) -> Column[object]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


event_seq = Sequence("event_seq", metadata=metadata)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("namespace", Uuid, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("week_start", SmallInteger, nullable=False, server_default=text("1")),
    _time("created_at"),
    Column("allowed_origins", ARRAY(Text), nullable=False, server_default=text("'{}'")),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("last_used_at", nullable=True),
    _time("revoked_at", nullable=True),
    Column("events_per_second", Integer),
)

# People who log in

users = Table(
    "users",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("owner_everywhere", Boolean, nullable=False),
    _time("created_at"),
    _time("password_changed_at"),
    _time("last_login_at", nullable=True),
    _time("disabled_at", nullable=True),
    Column("totp_secret", LargeBinary),
    Column("totp_step", BigInteger),
    _time("second_factor_at", nullable=True),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", Integer, primary_key=True),
    Column("project_id", Integer, primary_key=True),
    Column("role", Text, nullable=False),
    _time("created_at"),
)

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("user_id", Integer, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    _time("created_at"),
    _time("seen_at"),
    _time("ends_at"),
    Index("user_sessions_user", "user_id"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("created_by", Text, nullable=False),
    _time("created_at"),
    _time("expires_at"),
    _time("accepted_at", nullable=True),
    Column("accepted_by", Integer),
)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("subject", LargeBinary, primary_key=True),
    Column("level", Double, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _time("at"),
    Column("project_id", Integer),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("before", JSONB),
    Column("after", JSONB),
    Column("request_id", Text),
    Column("outcome", Text),
    Index("audit_log_project", "project_id", "id"),
)

# The log

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
    _time("received_at"),
    Index("events_project_seq", "project_id", "seq"),
    Index("events_project_type_time", "project_id", "event_type", "occurred_at"),
    postgresql_partition_by="RANGE (occurred_at)",
)

event_keys = Table(
    "event_keys",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    _time("received_at"),
    Index("event_keys_received", "received_at", postgresql_using="brin"),
)

partitions = Table(
    "partitions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lower", DateTime(timezone=True), nullable=False, unique=True),
    _time("upper"),
)

event_groups = Table(
    "event_groups",
    metadata,
    Column("project_id", Integer, nullable=False),
    _time("lower"),
    Column("after_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("events", Integer, nullable=False),
    _time("received_at"),
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
    _time("last_received_at"),
)

event_outbox = Table(
    "event_outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("event", JSONB, nullable=False),
    _time("created_at"),
)

imports = Table(
    "imports",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("name", Text, nullable=False),
    _count("lines"),
    _count("accepted"),
    _count("duplicates"),
    _count("rejected"),
    Column("finished", Boolean, nullable=False),
    _time("started_at"),
    _time("updated_at"),
)

# Readers

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
    _time("lease_until", nullable=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    _time("retry_at", nullable=True),
    Column("last_error", Text),
    _time("last_error_at", nullable=True),
    _time("updated_at"),
    Column("start_position", BigInteger),
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lease_owner", Text),
    _time("lease_until", nullable=True),
    _time("last_started_at", nullable=True),
    _time("last_finished_at", nullable=True),
    Column("last_error", Text),
    _time("last_succeeded_at", nullable=True),
)

# People and rollups

persons = Table(
    "persons",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("user_id", Text),
    Column("anonymous_id", Text),
    _time("first_seen_at"),
    _time("last_seen_at"),
    Column("first_day", Date),
    Column("first_day_with_bots", Date, nullable=False),
    Column("last_active_day", Date),
    Column("last_active_day_with_bots", Date),
    _time("first_signup_at", nullable=True),
    Column("first_signup_day", Date),
    _time("first_payment_at", nullable=True),
    Column("first_touch", JSONB),
    _time("first_touch_at", nullable=True),
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
    _count("events"),
    Index(
        "person_days_project_day",
        "project_id",
        "day",
        postgresql_include=["person_id", "active", "active_with_bots"],
    ),
)

person_links = Table(
    "person_links",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("other_id", Uuid, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("known", Boolean, nullable=False),
    _time("claimed_at", nullable=True),
    _time("trusted_at", nullable=True),
    _time("joined_at", nullable=True),
    _time("undone_at", nullable=True),
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
    _count("persons"),
    _count("persons_with_bots"),
)

event_days = Table(
    "event_days",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("event_type", Text, primary_key=True),
    Column("is_bot", Boolean, primary_key=True),
    _count("events"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("started_at", DateTime(timezone=True), primary_key=True),
    _time("ended_at"),
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
    _time("created_at"),
    _time("updated_at"),
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

# Money

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
    _time("occurred_at"),
    Column("day", Date, nullable=False),
    Column("amount", Numeric),
    Column("currency", Text),
    Index("payments_project_day", "project_id", "day"),
    Index("payments_project_payment", "project_id", "payment_id"),
    Index("payments_person", "person_id"),
)

subscription_changes = Table(
    "subscription_changes",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("subscription_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("person_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    _time("occurred_at"),
    _time("effective_at"),
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

# Figures

project_days = Table(
    "project_days",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("state", Text, nullable=False),
    _time("closed_at"),
    Index("project_days_sealed", "project_id", "day", postgresql_where=text("state = 'sealed'")),
)

late_unapplied = Table(
    "late_unapplied",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    _count("events"),
    _time("last_at"),
)

dirty_days = Table(
    "dirty_days",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("cause", Text, primary_key=True),
    _count("events"),
    _time("marked_at"),
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
    _time("calculated_at"),
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
    _time("changed_at"),
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
    _time("created_at"),
    _time("updated_at"),
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
    _time("changed_at"),
    Index("metric_revisions_metric", "project_id", "metric_type", "period", "metric_date"),
)

# Delivery

delivery_counts = Table(
    "delivery_counts",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("event_type", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("reason", Text, primary_key=True, server_default=text("''")),
    _count("events"),
)

delivery_answers = Table(
    "delivery_answers",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    _count("requests"),
    _count("sent"),
    _count("unanswered"),
    _count("acknowledged"),
    _count("counted"),
    _count("events"),
    _count("records"),
    _count("repeated"),
    _count("dead"),
    _count("unknown"),
    _count("duplicates"),
    _count("uncounted"),
)

parked_events = Table(
    "parked_events",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("person_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("event_type", Text, nullable=False),
    _time("occurred_at"),
    _time("received_at"),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    _time("parked_at"),
    _time("uncertain_since", nullable=True),
    _time("retry_at"),
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
    _time("occurred_at"),
    _time("received_at"),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    _time("died_at"),
    Column("kind", Text, nullable=False, server_default=text("'refused'")),
    _time("discarded_at", nullable=True),
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
    _time("begun_at"),
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
    _time("logged_at"),
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
    _time("created_at"),
    _time("updated_at"),
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
    _time("next_at"),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("reason", Text),
    _time("created_at"),
    _time("finished_at", nullable=True),
    Index("replays_destination", "project_id", "destination", "id"),
)

destination_rules = Table(
    "destination_rules",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("rules", JSONB, nullable=False),
    Column("version", BigInteger, nullable=False),
    _time("changed_at"),
)

# The API's own traffic

request_minutes = Table(
    "request_minutes",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("minute", DateTime(timezone=True), primary_key=True),
    Column("method", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("status", SmallInteger, primary_key=True),
    Column("caller", Text, primary_key=True),
    _count("requests"),
    Column("seconds", Numeric, nullable=False, server_default=text("0")),
    Column("slowest", Numeric, nullable=False, server_default=text("0")),
)

# Tracking plans

tracking_plans = Table(
    "tracking_plans",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("mode", Text, nullable=False),
    Column("unknown_types", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    _time("updated_at"),
)

plan_event_types = Table(
    "plan_event_types",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("event_type", Text, primary_key=True),
    Column("schema", Text, nullable=False),
    Column("description", Text, nullable=False),
    _time("updated_at"),
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
    _time("occurred_at"),
    _time("received_at"),
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
    _time("first_seen"),
    _time("last_seen"),
    Column("message", Text, nullable=False),
    Column("sample", Text),
)

# Privacy

privacy_policies = Table(
    "privacy_policies",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("policy", JSONB, nullable=False),
    Column("hash_key", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
    _time("updated_at"),
)

retention_periods = Table(
    "retention_periods",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("event_type", Text, primary_key=True),
    Column("days", Integer, nullable=False),
    _time("updated_at"),
)

retention_states = Table(
    "retention_states",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    _time("started_at"),
    _time("finished_at", nullable=True),
    _count("events"),
    Column("partitions", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("blocked", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    _time("blocked_since", nullable=True),
)

privacy_counts = Table(
    "privacy_counts",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    _count("number"),
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
    _time("created_at"),
    _time("started_at", nullable=True),
    _time("finished_at", nullable=True),
    _time("retry_at"),
    Column("error", Text),
    Column("lease_owner", Text),
    _time("lease_until", nullable=True),
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
    _time("since"),
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
    _time("requested_at", nullable=True),
    _time("ended_at", nullable=True),
    _time("next_at"),
)

consent_changes = Table(
    "consent_changes",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("changed_at", DateTime(timezone=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("consent", JSONB, nullable=False),
    Column("source", Text, nullable=False),
    _time("received_at"),
    Index("consent_changes_project", "project_id", "received_at"),
)

# Alerts

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
    _time("created_at"),
    _time("updated_at"),
    _time("evaluated_at", nullable=True),
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
    _time("created_at"),
    _time("updated_at"),
    Column("claim", Uuid),
    _time("claimed_until", nullable=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    _time("retry_at", nullable=True),
    Column("last_error", Text),
    _time("last_error_at", nullable=True),
    _time("last_sent_at", nullable=True),
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
    _time("since"),
    _time("started_at", nullable=True),
    _time("clear_since", nullable=True),
    _time("ended_at", nullable=True),
    _time("acknowledged_at", nullable=True),
    _time("notified_at", nullable=True),
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
    _time("created_at"),
    _time("ended_at", nullable=True),
    Column("last_error", Text),
    Index("alert_notifications_waiting", "channel_id", "id", postgresql_where=text("state = 'waiting'")),
)
