"""The event: what the log holds, and the catalogue of event types that the product knows by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class EventType(StrEnum):
    """Event types with a meaning of their own. Any other text is a custom event type and welcome."""

    description: str
    properties: tuple[str, ...]
    counts_as_active: bool

    def __new__(
        cls, value: str, description: str, properties: tuple[str, ...] = (), counts_as_active: bool = True
    ) -> EventType:
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        member.properties = properties
        member.counts_as_active = counts_as_active
        return member

    # Authentication
    SIGNUP_STARTED = "signup_started", "User begins the registration process.", ("method", "source")
    SIGNUP_COMPLETED = "signup_completed", "User successfully registers.", ("method", "plan", "referral_code")
    EMAIL_VERIFIED = "email_verified", "User verifies the e-mail address.", ("seconds_since_signup",)
    LOGIN = "login", "User logs in.", ("method",)
    LOGOUT = "logout", "User logs out.", ("reason",)
    SESSION_CREATED = "session_created", "A new user session is created.", ("method",)

    # Generation
    GENERATION_STARTED = (
        "generation_started",
        "User starts content generation.",
        ("generation_type", "prompt_length"),
    )
    GENERATION_COMPLETED = (
        "generation_completed",
        "Generation completes successfully.",
        ("generation_type", "result_id", "duration_ms"),
    )
    GENERATION_FAILED = "generation_failed", "Generation fails.", ("generation_type", "error", "duration_ms")
    GENERATION_CANCELLED = (
        "generation_cancelled",
        "User cancels generation.",
        ("generation_type", "duration_ms"),
    )

    # Payment
    PAYMENT_INITIATED = "payment_initiated", "Payment process starts.", ("payment_id", "amount", "currency")
    PAYMENT_COMPLETED = (
        "payment_completed",
        "Payment succeeds.",
        ("payment_id", "amount", "currency", "subscription_id"),
    )
    PAYMENT_FAILED = "payment_failed", "Payment fails.", ("payment_id", "amount", "currency", "error")
    PAYMENT_REFUNDED = (
        "payment_refunded",
        "A payment is given back, wholly or in part.",
        ("payment_id", "refund_id", "amount", "currency"),
        False,
    )
    PAYMENT_CHARGEBACK = (
        "payment_chargeback",
        "The bank takes a payment back.",
        ("payment_id", "refund_id", "amount", "currency"),
        False,
    )
    PAYMENT_LINKED = (
        "payment_linked",
        "Says under which other ids refunds name a payment.",
        ("payment_id", "references"),
        False,
    )
    SUBSCRIPTION_CREATED = (
        "subscription_created",
        "New subscription is created.",
        ("subscription_id", "amount", "currency", "interval"),
    )
    SUBSCRIPTION_RENEWED = (
        "subscription_renewed",
        "A subscription goes into its next period.",
        ("subscription_id", "amount", "currency", "interval"),
        False,
    )
    SUBSCRIPTION_PAST_DUE = (
        "subscription_past_due",
        "A payment is overdue: the customer counts as paying until `ends_at`, unless a renewal comes first.",
        ("subscription_id", "ends_at"),
        False,
    )
    SUBSCRIPTION_CANCELLED = (
        "subscription_cancelled",
        "Subscription is cancelled, at once or at the end of the paid time.",
        ("subscription_id", "ends_at", "reason"),
    )
    SUBSCRIPTION_UPGRADED = (
        "subscription_upgraded",
        "Subscription moves to a higher price.",
        ("subscription_id", "amount", "currency", "interval"),
    )
    SUBSCRIPTION_DOWNGRADED = (
        "subscription_downgraded",
        "Subscription moves to a lower price.",
        ("subscription_id", "amount", "currency", "interval"),
    )

    # Referral
    REFERRAL_SENT = "referral_sent", "User shares a referral code.", ("referral_code", "channel")
    REFERRAL_ACCEPTED = "referral_accepted", "A referral is used successfully.", ("referral_code",)
    REFERRAL_MILESTONE_REACHED = (
        "referral_milestone_reached",
        "User hits a referral milestone.",
        ("milestone", "referrals"),
        False,
    )
    REFERRAL_EARNINGS_WITHDRAWN = (
        "referral_earnings_withdrawn",
        "User withdraws referral earnings.",
        ("amount", "currency"),
    )

    # Engagement
    PAGE_VIEW = "page_view", "User views a page.", ("path", "title", "referrer")
    FEATURE_USED = "feature_used", "User interacts with a feature.", ("feature_name", "action", "source")
    SESSION_DURATION = "session_duration", "How long a session lasted.", ("duration_seconds",)
    USER_PROFILE_UPDATED = "user_profile_updated", "User updates the profile.", ("fields",)
    SETTINGS_CHANGED = "settings_changed", "User modifies settings.", ("setting", "value")

    # System
    API_REQUEST = (
        "api_request",
        "A request to a product route of this API.",
        ("method", "route", "status", "duration_ms", "caller"),
        False,
    )
    IDENTIFY = "$identify", "Sets user properties and joins an anonymous id to a user id.", (), False
    ALIAS = (
        "$alias",
        "Joins two ids of one person.",
        ("alias", "from_user_id", "from_anonymous_id"),
        False,
    )
    UNALIAS = (
        "$unalias",
        "Takes back what `$alias` or `$identify` joined. Server keys only.",
        ("alias", "from_user_id", "from_anonymous_id"),
        False,
    )


ALIAS, UNALIAS, PAYMENT_COMPLETED = (
    kind.value for kind in (EventType.ALIAS, EventType.UNALIAS, EventType.PAYMENT_COMPLETED)
)
"""As plain text, for code that each event passes: a look at the catalogue costs 0.1 µs."""

SYSTEM_TYPES = frozenset(kind.value for kind in EventType if kind.startswith("$"))
"""Types that say who somebody is. No other type may begin with $."""

OWN_TYPES = frozenset({ALIAS, UNALIAS})
"""Types that mean nothing outside: only what takes whole events gets them."""


INACTIVE_EVENT_TYPES = tuple(kind.value for kind in EventType if not kind.counts_as_active)
"""Types that the server causes, not the user: they never make a person active."""


@dataclass(slots=True)
class NewEvent:
    """An event that has passed intake and is ready to be written. JSON fields are text.

    Not to be changed; not frozen, because that makes each one cost 4 µs more.
    """

    project_id: int
    event_id: UUID
    keyed: bool
    """Whether a resend can carry the same id, so that `event_keys` must decide."""
    person_id: UUID
    has_person: bool
    user_id: str | None
    anonymous_id: str | None
    session_id: str | None
    event_type: str
    event_data: str
    user_properties: str | None
    context: str
    revenue: Decimal | None
    currency: str | None
    occurred_at: datetime
    received_at: datetime
    is_bot: bool
    trusted: bool
    size: int
    """Bytes that the event takes in the queue, for admission."""


@dataclass(slots=True)
class StoredEvent:
    """A row of the log. JSON fields are text. Not to be changed; not frozen for the same reason."""

    seq: int
    project_id: int
    event_id: UUID
    person_id: UUID
    has_person: bool
    user_id: str | None
    anonymous_id: str | None
    session_id: str | None
    event_type: str
    event_data: str
    user_properties: str | None
    context: str
    revenue: Decimal | None
    currency: str | None
    occurred_at: datetime
    received_at: datetime
    is_bot: bool
    trusted: bool
