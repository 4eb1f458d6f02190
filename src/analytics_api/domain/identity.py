"""Who an event is about and what its id is: computed from what was sent, never looked up."""

from __future__ import annotations

import os
import time
from uuid import UUID, uuid5


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
    if len(text) == 36:
        try:
            return UUID(text)
        except ValueError:
            pass
    return uuid5(namespace, text)


def event_id_of_key(namespace: UUID, idempotency_key: str, index: int) -> UUID:
    """The id of the index-th event of a request that was sent with an Idempotency-Key."""
    return uuid5(namespace, f"{idempotency_key}\n{index}")


def mint_event_id() -> UUID:
    """A new UUID version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
