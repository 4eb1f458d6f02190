"""Rate limits of API keys: a token bucket for each key, in the memory of each process, counted in events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from analytics_api.access.caller import Caller
from analytics_api.errors import TooManyRequests

BURST_SECONDS = 10
"""What a bucket holds when it is full, in seconds of its rate."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimits:
    """Lets a key send `Caller.events_per_second` in the long run, and ten seconds' worth at once.

    A request passes while its key's bucket is not empty, however many events it brings: what it takes beyond is owed, so that a
    batch larger than the bucket passes too, and the next one waits longer. In any stretch of t seconds a key brings at most
    (t + 10) * rate events and one batch.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: dict[int, _Bucket] = {}

    def check(self, caller: Caller) -> None:
        """Raise TooManyRequests, with the seconds to wait, when the key has sent more than its share."""
        if not caller.events_per_second or caller.key_id is None:
            return
        bucket = self._filled(caller.key_id, caller.events_per_second)
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) / caller.events_per_second)
            raise TooManyRequests(
                f"This API key may send {caller.events_per_second} events a second; send the same request again after {wait} s.",
                headers={"Retry-After": str(wait)},
            )

    def charge(self, caller: Caller, events: int) -> None:
        """Take what a request brings out of its key's bucket."""
        if caller.events_per_second and caller.key_id is not None:
            self._filled(caller.key_id, caller.events_per_second).tokens -= events

    def _filled(self, key_id: int, rate: int) -> _Bucket:
        now, full = self._monotonic(), float(rate * BURST_SECONDS)
        bucket = self._buckets.get(key_id)
        if bucket is None:
            bucket = self._buckets[key_id] = _Bucket(full, now)
        bucket.tokens = min(full, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        return bucket
