"""Passwords: what is good enough, and their hashes (argon2id, RFC 9106)."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from analytics_api.errors import Unavailable, Unprocessable

SHORTEST = 12
LONGEST = 256
"""Characters. Length is what counts (NIST SP 800-63B): no rules about digits or signs."""
_FEWEST_DIFFERENT = 5
_AT_ONCE = 2
"""Hashes made at the same time: each takes 19 MB and 40 ms of a core, which intake needs, too."""
_MOST_WAITING = 100

# OWASP's parameters for argon2id (Password Storage Cheat Sheet, 2025): 19 MiB, 2 passes, 1 lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$ouAsx2g39EBmRdoYuzlXFQ$II3iB353ho79bvbVJEyaBuyrQ9+AKLTsHPI16fNFxi0"
"""Compared with for a name that is not there, so that it costs the same. No password is known for it."""


R = TypeVar("R")


def generated_password() -> str:
    """A password of 144 random bits."""
    return secrets.token_urlsafe(18)


def checked_password(password: str, username: str, field: str = "password") -> str:
    """A new password, if it is good enough. Raises Unprocessable, which never repeats it."""
    if len(password) < SHORTEST:
        raise Unprocessable(
            f"{field}: has fewer than {SHORTEST} characters; use a longer one, such as four words."
        )
    if len(password) > LONGEST:
        raise Unprocessable(f"{field}: has more than {LONGEST} characters; use a shorter one.")
    lower = password.casefold()
    if len(set(lower)) < _FEWEST_DIFFERENT or lower in username * LONGEST:
        raise Unprocessable(
            f"{field}: is easy to guess; use one without the user name and with more different characters."
        )
    return password


class Passwords:
    """Makes and compares hashes off the event loop, a few at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """What the database holds instead of a password. Raises Unavailable when too many wait."""
        return await self._in_turn(hash_password, password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether a password is that of a hash. `stored`: nothing for a user who is not there, which takes as long.

        Raises Unavailable when too many wait.
        """
        return await self._in_turn(_matches, password, stored)

    async def _in_turn(self, work: Callable[..., R], *arguments: str | None) -> R:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Too many people log in at once; try again in a moment.", retry_after=5)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._waiting -= 1


def _normal(password: str) -> str:
    """The same text, however a keyboard composes its accents (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def hash_password(password: str) -> str:
    """What the database holds instead of a password. Takes 40 ms; `Passwords.hashed` is for event loops."""
    return _hasher.hash(_normal(password))


def _matches(password: str, stored: str | None) -> bool:
    try:
        right = _hasher.verify(stored or NOBODYS, _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return right and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)
