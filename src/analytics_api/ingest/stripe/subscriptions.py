"""Subscriptions: each webhook carries the whole subscription, and what that says becomes changes for the ledger.

Which change it is depends on this one webhook alone, and the ledger sorts changes by time, so that neither order nor
repetition of arrivals matters.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from analytics_api.domain.event import EventType
from analytics_api.domain.subscription import MONTHS_PER_INTERVAL
from analytics_api.ingest.stripe.reading import (
    Object,
    Unreadable,
    as_text,
    currency_of,
    instant,
    listed,
    major_units,
    minor_units,
    part,
    whole,
)

GRACE = timedelta(days=30)
"""How long a customer whose payment is overdue counts as paying (definitions, section 5b)."""

CREATED, DELETED = "customer.subscription.created", "customer.subscription.deleted"
SUBSCRIPTION_TYPES = frozenset(
    {CREATED, DELETED, *(f"customer.subscription.{word}" for word in ("updated", "paused", "resumed"))}
)

_WORTH = frozenset({"items", "plan", "quantity", "discount", "discounts", "status"})
"""Fields whose change can change what the subscription is worth."""
_PLACES = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Change:
    """One event for the ledger of subscriptions."""

    event_type: EventType
    moment: datetime
    data: dict[str, Any]


def changes(webhook: Object, subscription: Object) -> list[Change]:
    """What a webhook of SUBSCRIPTION_TYPES says. Empty for a subscription that has not begun."""
    said = _said(webhook, subscription)
    moment = _moment(webhook)
    return [
        Change(kind, moment + timedelta(microseconds=place), data) for place, (kind, data) in enumerate(said)
    ]


def _said(webhook: Object, subscription: Object) -> list[tuple[EventType, dict[str, Any]]]:
    status, kind = subscription.get("status"), webhook["type"]
    previous = part(part(webhook, "data"), "previous_attributes")
    if status in ("incomplete", "incomplete_expired"):
        return []
    if kind == DELETED or status in ("canceled", "unpaid"):
        reason = part(subscription, "cancellation_details").get("reason") or status
        return [(EventType.SUBSCRIPTION_CANCELLED, {"reason": str(reason)})]
    if status == "paused" or part(subscription, "pause_collection"):
        return [(EventType.SUBSCRIPTION_CANCELLED, {"reason": "paused"})]
    if status == "past_due":
        ends = instant(webhook.get("created"), "created") + GRACE
        return [(EventType.SUBSCRIPTION_PAST_DUE, {"ends_at": ends.isoformat()})]
    worth = _worth(subscription)
    if status == "trialing":
        worth = {**worth, "amount": "0"}
    ends_at = _ends_at(subscription)
    first = kind == CREATED or previous.get("status") == "incomplete"
    if ends_at is None:
        return [(EventType.SUBSCRIPTION_CREATED if first else EventType.SUBSCRIPTION_RENEWED, worth)]
    leaving = EventType.SUBSCRIPTION_CANCELLED, {"ends_at": ends_at.isoformat(), "reason": "scheduled"}
    if first:
        return [(EventType.SUBSCRIPTION_CREATED, worth), leaving]
    # Not "renewed": that would take back the end which is planned.
    return [(EventType.SUBSCRIPTION_UPGRADED, worth), leaving] if _WORTH & previous.keys() else [leaving]


def _moment(webhook: Object) -> datetime:
    """Stripe tells whole seconds; within one the beginning comes first and the end last, and the rest lies by its id."""
    created = instant(webhook.get("created"), "created")
    if webhook["type"] == CREATED:
        return created
    if webhook["type"] == DELETED:
        return created + timedelta(microseconds=999_998)
    digest = hashlib.sha256(str(webhook.get("id")).encode()).digest()
    return created + timedelta(microseconds=10 + 2 * (int.from_bytes(digest[:4], "big") % 499_000))


def _ends_at(subscription: Object) -> datetime | None:
    """When a subscription that still runs is going to end; None when it is not."""
    if subscription.get("cancel_at") is not None:
        return instant(subscription["cancel_at"], "cancel_at")
    if not subscription.get("cancel_at_period_end"):
        return None
    # From API version 2025-03-31 on, the period belongs to the items.
    ends = [
        holder["current_period_end"]
        for holder in (subscription, *listed(subscription, "items"))
        if holder.get("current_period_end") is not None
    ]
    if not ends:
        raise Unreadable("current_period_end is missing")
    return max(instant(end, "current_period_end") for end in ends)


def _worth(subscription: Object) -> dict[str, Any]:
    """Amount, currency and interval, after permanent discounts; what is metered or taxed on top is not in it.

    Without an amount when a price has none of its own (tiers): the ledger keeps the last one that it knows.
    """
    parts: list[tuple[Decimal, str, int]] = []
    currency = None
    for item in listed(subscription, "items"):
        price = part(item, "price") or part(item, "plan")
        recurring = part(price, "recurring") or price
        if recurring.get("usage_type") == "metered":
            continue
        unit = next(
            (
                price[name]
                for name in ("unit_amount_decimal", "unit_amount", "amount_decimal", "amount")
                if price.get(name) is not None
            ),
            None,
        )
        if unit is None:
            return {}
        currency = currency_of(price)
        amount = minor_units(unit, "unit_amount") * whole(item, "quantity", 1)
        interval = recurring.get("interval")
        if interval not in MONTHS_PER_INTERVAL:
            raise Unreadable("interval is none of day, week, month and year")
        parts.append((amount, interval, max(1, whole(recurring, "interval_count", 1))))
    if not parts or currency is None:
        return {"amount": "0"}
    same = {(interval, number) for _, interval, number in parts}
    if len(same) == 1 and parts[0][2] == 1:
        interval, months = parts[0][1], Decimal(1)
        total = sum((amount for amount, _, _ in parts), Decimal(0))
    else:
        interval, months = "month", MONTHS_PER_INTERVAL[parts[0][1]] * parts[0][2]
        total = sum(
            (amount / (MONTHS_PER_INTERVAL[interval] * number) for amount, interval, number in parts),
            Decimal(0),
        )
    total = max(_discounted(subscription, total, months), Decimal(0))
    amount = major_units(total, currency)
    # Divided amounts only: a plain one keeps its digits.
    amount = amount if -int(amount.as_tuple().exponent) <= 9 else amount.quantize(_PLACES)
    return {"amount": as_text(amount), "currency": currency, "interval": interval}


def _discounted(subscription: Object, total: Decimal, months: Decimal) -> Decimal:
    """Less what is off for ever. A coupon for a limited time leaves recurring revenue as it is (definitions, section 5c)."""
    for discount in (part(subscription, "discount"), *listed(subscription, "discounts")):
        # From API version 2025-09-30 on, the coupon is in `source`.
        coupon = part(discount, "coupon") or part(part(discount, "source"), "coupon")
        if coupon.get("duration") != "forever":
            continue
        if coupon.get("percent_off") is not None:
            total -= total * minor_units(str(coupon["percent_off"]), "percent_off") / 100
        elif coupon.get("amount_off") is not None:
            total -= minor_units(coupon["amount_off"], "amount_off") / months
    return total
