"""When an event happened: parsing, correction of a client's clock, and bounds (definitions, section 0)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
"""Older times are refused: Mixpanel takes nothing before it, and it catches epoch zero."""

PUBLIC_REACH = timedelta(days=400)
"""How far back a public write key may date an event; older history needs a server key or the importer."""

SKEW_TOLERANCE = timedelta(seconds=60)
"""Clocks off by less are left alone, so that a healthy clock does not jitter (Amplitude's number)."""

FUTURE_TOLERANCE = timedelta(minutes=5)

_SMALLEST_MILLISECONDS = 10**11
"""1973-03-03 in milliseconds. A smaller number is taken for seconds and refused with a hint."""

_DIGITS = 13
"""Of milliseconds from 2001 to 2286, which come as text in a CSV. ISO 8601 has no time of so many digits; Python would read some as 1763-12-31."""


def parse_time(value: str | int | float, field: str = "timestamp") -> datetime:
    """An instant from ISO 8601 text (UTC when it has no zone) or epoch milliseconds, as a number or as its 13 digits.

    Raises ValueError with a sentence that names the field and the fix.
    """
    if isinstance(value, str):
        if len(value) == _DIGITS and value.isdecimal():
            return parse_time(int(value), field)
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                return moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
        except OverflowError:
            if value.startswith("9999"):
                # Behind the last time there is; it lies in the future like that one.
                return datetime.max.replace(tzinfo=UTC)
            raise ValueError(f"{field} is before {EARLIEST:%Y-%m-%d}") from None
        except ValueError:
            raise ValueError(
                f"{field} is not a time: send ISO 8601 such as 2026-01-31T12:00:00Z, or epoch milliseconds"
            ) from None
    if 0 < value < _SMALLEST_MILLISECONDS:
        raise ValueError(f"{field} looks like epoch seconds: send epoch milliseconds")
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise ValueError(f"{field} is out of range: send epoch milliseconds") from None


def in_utc(moment: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError when it lies outside the years 1 to 9999 there, where nothing can store it."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is before the year 1 or after the year 9999 in UTC") from None


def clock_skew(received_at: datetime, sent_at: datetime | None) -> timedelta:
    """How far the client's clock is behind ours; zero when it is close enough or unknown."""
    if sent_at is None:
        return timedelta()
    skew = received_at - sent_at
    return skew if abs(skew) > SKEW_TOLERANCE else timedelta()


def place_in_time(
    occurred_at: datetime, received_at: datetime, skew: timedelta, reach: timedelta | None
) -> tuple[datetime, bool]:
    """The corrected time of an event and whether it was clamped because it lay in the future.

    `reach` is how far back the sender may go, `None` for no limit but 1971. Raises ValueError when it lies before.
    """
    if skew:
        try:
            occurred_at = min(occurred_at + skew, received_at)
        except OverflowError:
            occurred_at = received_at
    if occurred_at > received_at + FUTURE_TOLERANCE:
        return received_at, True
    if occurred_at < EARLIEST:
        raise ValueError(f"timestamp is before {EARLIEST:%Y-%m-%d}")
    if reach is not None and occurred_at < received_at - reach:
        raise ValueError(
            f"timestamp is more than {reach.days} days ago: use a server key or the importer for history"
        )
    return occurred_at, False
