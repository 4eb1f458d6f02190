"""What the deletion calls of the providers have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analytics_api.domain.erasure import Deletion, DeletionState
from analytics_api.domain.outcome import Paused, Retry, Unknown
from analytics_api.outbound.http import Answer


def not_possible(words: str) -> Deletion:
    """It cannot be done from here."""
    return Deletion(DeletionState.IMPOSSIBLE, words=words)


def not_taken(answer: Answer | Retry | Unknown | Paused, secrets: Sequence[str]) -> Deletion | None:
    """What an answer means that is no success; None for 2xx. All these calls may be made again."""
    if not isinstance(answer, Answer):
        return Deletion(DeletionState.WAITING, words=answer.words)
    if 200 <= answer.status < 300:
        return None
    words = answer.words()
    for secret in secrets:
        words = words.replace(secret, "***")
    if 400 <= answer.status < 500 and answer.status not in (401, 403, 404, 408, 429):
        return Deletion(DeletionState.FAILED, words=words)
    # Credentials may be mended, and a wrong address, too.
    return Deletion(DeletionState.WAITING, words=words)


def pieces(ids: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """Ids in requests of at most so many."""
    for start in range(0, len(ids), most):
        yield ids[start : start + most]
