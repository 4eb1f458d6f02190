"""Time zones by their IANA names."""

from functools import cache
from zoneinfo import available_timezones


@cache
def zone_names() -> frozenset[str]:
    """All of them. What a machine calls its own (`localtime`, in Debian's files) is none: PostgreSQL does not know it."""
    return frozenset(available_timezones() - {"localtime"})
