"""Time-based one-time passwords (RFC 6238, over RFC 4226): six digits from a shared secret, new every 30 seconds."""

from __future__ import annotations

import hashlib
import hmac

PERIOD = 30
DIGITS = 6
DRIFT = 1
"""Steps that a clock may be off in either direction (RFC 6238, 5.2 recommends one for the way of the message)."""


def code_at(secret: bytes, step: int, *, digits: int = DIGITS) -> str:
    """The code of a time step (RFC 4226, 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(secret: bytes, code: str, seconds: float) -> int | None:
    """The time step near a time (seconds since 1970) whose code this is; all are compared, in constant time."""
    now = int(seconds // PERIOD)
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode(errors="replace")):
            found = step
    return found
