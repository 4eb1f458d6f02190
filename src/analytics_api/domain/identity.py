"""Who an event is about and what its id is: computed from what was sent, never looked up."""

from __future__ import annotations

import hashlib
import os
import re
import time
from uuid import UUID, SafeUUID

_CANONICAL = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
).fullmatch
_CLEAR = ~((0xF << 76) | (0x3 << 62))
_RFC_VARIANT = 0x2 << 62


def person_of(
    namespace: UUID, user_id: str | None, anonymous_id: str | None, event_id: UUID
) -> tuple[UUID, bool]:
    """The person of an event and whether it is one who may be counted.

    An event that names nobody gets an id of its own and `False`: it counts in totals, never in uniques.
    """
    if user_id is not None:
        return uuid5(namespace, "u:" + user_id), True
    if anonymous_id is not None:
        return uuid5(namespace, "a:" + anonymous_id), True
    return uuid5(namespace, f"e:{event_id}"), False


def event_id_of(namespace: UUID, text: str) -> UUID:
    """The UUID of an event id sent by a client: itself when it is a UUID, else uuid5 of the project and text."""
    if _CANONICAL(text):
        return _uuid(int(text.replace("-", ""), 16))
    return uuid5(namespace, text)


def event_id_of_key(namespace: UUID, idempotency_key: str, index: int) -> UUID:
    """The id of the index-th event of a request that was sent with an Idempotency-Key."""
    return uuid5(namespace, f"{idempotency_key}\n{index}")


def mint_event_id() -> UUID:
    """A new UUID version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    return _uuid(((milliseconds & 0xFFFF_FFFF_FFFF) << 80 | random) & _CLEAR | 0x7 << 76 | _RFC_VARIANT)


def uuid5(namespace: UUID, name: str) -> UUID:
    """UUID version 5 (RFC 9562) of a name; as the standard library's, which takes three times as long."""
    digest = hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()
    return _uuid(int.from_bytes(digest[:16], "big") & _CLEAR | 0x5 << 76 | _RFC_VARIANT)


def _uuid(value: int) -> UUID:
    """A UUID of a number that is known to have 128 bits, without the constructor's checks (1 µs)."""
    new = object.__new__(UUID)
    object.__setattr__(new, "int", value)
    object.__setattr__(new, "is_safe", SafeUUID.unknown)
    return new
