"""How often one address may fail to log in: in the memory of each process, so that no address is written anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from analytics_api.errors import TooManyRequests

MOST_FAILURES = 30
SECONDS_EACH = 10
"""After that one more in so many seconds."""
MOST_REMEMBERED = 10_000

TOO_MANY = "There were too many attempts to log in from your address; try again in a moment."


class Attempt:
    """One attempt to log in, a failure until it is said to have succeeded."""

    failed = True

    def succeeded(self) -> None:
        """The password was right."""
        self.failed = False


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class AddressLimits:
    """A leaky bucket of failures for each address; an IPv6 /64 counts as one, for that is what one customer has."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}

    @contextmanager
    def attempt(self, address: str | None) -> Iterator[Attempt]:
        """Count an attempt as a failure while it is under way, and after it unless it succeeds. Raises TooManyRequests."""
        bucket = self._bucket(_network(address))
        if bucket.level > MOST_FAILURES - 1:
            raise TooManyRequests(TOO_MANY, headers={"Retry-After": str(SECONDS_EACH)})
        bucket.level += 1
        attempt = Attempt()
        try:
            yield attempt
        finally:
            if not attempt.failed:
                bucket.level -= 1

    def _bucket(self, network: str) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.pop(network, None) or _Bucket(0.0, now)
        if len(self._buckets) >= MOST_REMEMBERED:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[network] = bucket
        bucket.level = max(0.0, bucket.level - (now - bucket.at) / SECONDS_EACH)
        bucket.at = now
        return bucket


def _network(address: str | None) -> str:
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{int(parsed) >> 64:x}"
    return str(parsed)
