"""The event types that the product knows by name. Any other text is a custom event type and welcome."""

from __future__ import annotations

from enum import Enum


class AnalyticsEvent(str, Enum):
    """Names of events with a meaning of their own."""

    SIGNUP_STARTED = "signup_started"
    SIGNUP_COMPLETED = "signup_completed"
    EMAIL_VERIFIED = "email_verified"
    LOGIN = "login"
    LOGOUT = "logout"
    SESSION_CREATED = "session_created"

    GENERATION_STARTED = "generation_started"
    GENERATION_COMPLETED = "generation_completed"
    GENERATION_FAILED = "generation_failed"
    GENERATION_CANCELLED = "generation_cancelled"

    PAYMENT_INITIATED = "payment_initiated"
    PAYMENT_COMPLETED = "payment_completed"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_REFUNDED = "payment_refunded"
    PAYMENT_CHARGEBACK = "payment_chargeback"
    PAYMENT_LINKED = "payment_linked"
    SUBSCRIPTION_CREATED = "subscription_created"
    SUBSCRIPTION_RENEWED = "subscription_renewed"
    SUBSCRIPTION_PAST_DUE = "subscription_past_due"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    SUBSCRIPTION_UPGRADED = "subscription_upgraded"
    SUBSCRIPTION_DOWNGRADED = "subscription_downgraded"

    REFERRAL_SENT = "referral_sent"
    REFERRAL_ACCEPTED = "referral_accepted"
    REFERRAL_MILESTONE_REACHED = "referral_milestone_reached"
    REFERRAL_EARNINGS_WITHDRAWN = "referral_earnings_withdrawn"

    PAGE_VIEW = "page_view"
    FEATURE_USED = "feature_used"
    SESSION_DURATION = "session_duration"
    USER_PROFILE_UPDATED = "user_profile_updated"
    SETTINGS_CHANGED = "settings_changed"
