"""Amounts of money: exact decimals in major units with an ISO 4217 code. Never floats, never summed across currencies."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_CURRENCY = re.compile(r"[A-Za-z]{3}")
_LARGEST = Decimal(10) ** 15


def parse_amount(value: object, field: str) -> Decimal:
    """A finite decimal below 10^15 from a JSON number or text. Raises ValueError naming the field."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"{field} is not an amount: send a number or decimal text such as 19.99")
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError):
        raise ValueError(f"{field} is not an amount: send a number or decimal text such as 19.99") from None
    exponent = amount.as_tuple().exponent
    # Sizes first, and not by abs(): it rounds to the context's precision, which overflows for 1e999999999.
    if not isinstance(exponent, int) or not -9 <= exponent <= 15 or amount.copy_abs() >= _LARGEST:
        raise ValueError(f"{field} is not a usable amount: finite, below 10^15, at most 9 decimal places")
    return amount


def parse_currency(value: object, field: str) -> str:
    """An upper-case ISO 4217 code. Raises ValueError naming the field."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError(f"{field} is not a currency: send a code of three letters such as USD")
    return value.upper()
