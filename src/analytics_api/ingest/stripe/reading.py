"""Reading Stripe's objects: ids that may be expanded, amounts in minor units, instants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from analytics_api.domain.money import parse_currency

Object = Mapping[str, Any]

_WITHOUT_DECIMALS = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905 (a table reads better so)
)
_WITH_THREE = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""docs.stripe.com/currencies. ISK and UGX have no decimals, but Stripe sends and takes them as if they had two."""

_LATEST = 253_402_300_799
"""9999-12-31 in seconds."""


class Unreadable(Exception):
    """A webhook is not what Stripe documents; the text names the field."""


def part(holder: Object, name: str) -> Object:
    """An object inside another; empty when it is not there."""
    value = holder.get(name)
    return value if isinstance(value, Mapping) else {}


def listed(holder: Object, name: str) -> list[Object]:
    """The objects of a list inside another object, given as such or as Stripe's `{"object": "list", "data": [...]}`."""
    value = holder.get(name)
    if isinstance(value, Mapping):
        value = value.get("data")
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def identifier(holder: Object, name: str) -> str | None:
    """The id of another object, which may be expanded."""
    value = holder.get(name)
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) and value else None


def required(value: str | None, field: str) -> str:
    """The text. Raises Unreadable when it is not there."""
    if value is None:
        raise Unreadable(f"{field} is missing")
    return value


def whole(holder: Object, name: str, otherwise: int | None = None) -> int:
    """A whole number. Raises Unreadable when it is none."""
    value = holder.get(name)
    if value is None and otherwise is not None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable(f"{name} is no whole number")
    return value


def instant(seconds: object, field: str) -> datetime:
    """A time in epoch seconds. Raises Unreadable."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= _LATEST:
        raise Unreadable(f"{field} is no time in seconds")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def currency_of(holder: Object) -> str:
    """The upper-case code. Raises Unreadable."""
    try:
        return parse_currency(holder.get("currency"), "currency")
    except ValueError as error:
        raise Unreadable(str(error)) from None


def minor_units(value: object, field: str) -> Decimal:
    """An amount as Stripe sends it: a whole number of minor units, or decimal text with parts of one. Raises Unreadable."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Unreadable(f"{field} is no amount")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise Unreadable(f"{field} is no amount") from None
    if not amount.is_finite() or amount.copy_abs() >= 10**15:
        raise Unreadable(f"{field} is no amount")
    return amount


def major_units(amount: Decimal | int, currency: str) -> Decimal:
    """Minor units as Stripe counts them -> major units: 1999 USD -> 19.99, 500 JPY -> 500, 5120 KWD -> 5.120."""
    digits = 0 if currency in _WITHOUT_DECIMALS else 3 if currency in _WITH_THREE else 2
    return Decimal(amount).scaleb(-digits)


def as_text(amount: Decimal) -> str:
    """An amount for the log: exact decimal text without exponent."""
    return f"{amount:f}"
