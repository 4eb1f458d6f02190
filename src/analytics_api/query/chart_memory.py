"""Parts of charts that one process keeps as text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

MOST_BYTES = 33_554_432
"""Kept by one process: about 200 charts of a year."""


@dataclass(slots=True)
class ChartMemory:
    """Texts by all that they are made of, so that none is ever out of date; those not asked for longest go first."""

    most_bytes: int = MOST_BYTES
    _texts: OrderedDict[Hashable, bytes] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def get(self, key: Hashable) -> bytes | None:
        """The text, if it is kept."""
        text = self._texts.get(key)
        if text is not None:
            self._texts.move_to_end(key)
        return text

    def put(self, key: Hashable, text: bytes) -> None:
        """Keep a text."""
        self._bytes += len(text) - len(self._texts.pop(key, b""))
        self._texts[key] = text
        while self._bytes > self.most_bytes:
            self._bytes -= len(self._texts.popitem(last=False)[1])
