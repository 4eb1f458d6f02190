"""Subscriptions: what a plan is worth a month."""

from __future__ import annotations

from decimal import Decimal

MONTHS_PER_INTERVAL = {
    "day": Decimal(12) / Decimal(365),
    "week": Decimal(12) / Decimal(52),
    "month": Decimal(1),
    "quarter": Decimal(3),
    "year": Decimal(12),
}

_NAMES = {
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "quarterly": "quarter",
    "yearly": "year",
    "annual": "year",
    "annually": "year",
}

_CENT = Decimal("0.000001")


def monthly_amount(amount: Decimal, interval: str | None) -> Decimal:
    """The monthly recurring revenue of an amount that is due every interval; an unknown interval is taken for a month."""
    name = (interval or "month").lower()
    months = MONTHS_PER_INTERVAL.get(_NAMES.get(name, name), Decimal(1))
    return (amount / months).quantize(_CENT)
