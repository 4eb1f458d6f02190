"""Projects, their keys, and people who log in."""

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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from analytics_api.store.tables.base import metadata, time

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
    time("created_at"),
    Column("allowed_origins", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("visitor_days_first", Date),
    Column("visitor_days_last", Date),
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
    time("created_at"),
    time("expires_at", nullable=True),
    time("last_used_at", nullable=True),
    time("revoked_at", nullable=True),
    Column("events_per_second", Integer),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("owner_everywhere", Boolean, nullable=False),
    time("created_at"),
    time("password_changed_at"),
    time("last_login_at", nullable=True),
    time("disabled_at", nullable=True),
    Column("totp_secret", LargeBinary),
    Column("totp_step", BigInteger),
    time("second_factor_at", nullable=True),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", Integer, primary_key=True),
    Column("project_id", Integer, primary_key=True),
    Column("role", Text, nullable=False),
    time("created_at"),
)

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("user_id", Integer, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    time("created_at"),
    time("seen_at"),
    time("ends_at"),
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
    time("created_at"),
    time("expires_at"),
    time("accepted_at", nullable=True),
    Column("accepted_by", Integer),
)

shares = Table(
    "shares",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("view", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    # Binary, as hashes are: the audit log shows no such column.
    Column("password_hash", LargeBinary),
    Column("created_by", Text, nullable=False),
    time("created_at"),
    time("expires_at", nullable=True),
    time("revoked_at", nullable=True),
    Column("opened", Integer, nullable=False, server_default=text("0")),
    time("opened_at", nullable=True),
)

share_sessions = Table(
    "share_sessions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("share_id", Integer, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    time("ends_at"),
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("view", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    time("created_at"),
    UniqueConstraint("project_id", "name"),
)

chart_notes = Table(
    "annotations",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("project_id", Integer, nullable=False),
    time("at"),
    Column("label", Text, nullable=False),
    Column("url", Text),
    Column("created_by", Text, nullable=False),
    time("created_at"),
    UniqueConstraint("project_id", "at", "label"),
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
    time("at"),
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
