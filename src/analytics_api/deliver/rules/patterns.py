"""Event types by patterns in which `*` stands for any characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Matcher = Callable[[str], bool]


def matcher(patterns: Iterable[str]) -> Matcher:
    """Whether a text matches one of the patterns."""
    whole = {pattern for pattern in patterns if "*" not in pattern}
    pieces = [pattern.split("*") for pattern in patterns if "*" in pattern]
    return lambda text: text in whole or any(_fits(text, pattern) for pattern in pieces)


def _fits(text: str, pieces: list[str]) -> bool:
    """Whether the pieces follow each other in the text, which begins with the first and ends with the last.

    Each piece is taken where it comes first, so the time is linear, unlike that of a regular expression.
    """
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in middle:
        place = text.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True
