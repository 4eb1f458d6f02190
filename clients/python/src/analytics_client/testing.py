"""A client for the tests of programs that track: it sends nothing and remembers everything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from analytics_client.events import InvalidEvent, encode
from analytics_client.stats import Stats
from analytics_client.tracking import Tracking


class RecordingClient(Tracking):
    """Stands for AnalyticsClient. `events` are as a server would get them: checked, without personal data, as JSON has them.

    Other than a client it raises InvalidEvent for what cannot be an event, so that a test shows the mistake.
    """

    enabled = True

    def __init__(self, *, app: str | None = None, keep_pii: bool = False) -> None:
        super().__init__(app)
        self._keep_pii = keep_pii
        self.events: list[dict[str, Any]] = []

    def of_type(self, event_type: str) -> list[dict[str, Any]]:
        """The events of a type, in order."""
        return [event for event in self.events if event["event_type"] == event_type]

    def assert_tracked(self, event_type: str, event_data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The first event of a type that has at least these properties. Raises AssertionError that shows what there is."""
        wanted = dict(event_data or {})
        for event in self.of_type(event_type):
            if wanted.items() <= event.get("event_data", {}).items():
                return event
        raise AssertionError(f"no event {event_type!r} with {wanted}; there are: {self.events}")

    def clear(self) -> None:
        """Forget everything."""
        self.events.clear()

    @property
    def stats(self) -> Stats:
        """All is sent at once."""
        return Stats(queued=len(self.events), sent=len(self.events))

    def flush(self, timeout: float = 10.0) -> bool:
        """Nothing waits."""
        return True

    def close(self, timeout: float | None = None) -> bool:
        """Nothing waits."""
        return True

    def opt_out(self) -> None:
        """Take no more events."""
        self.enabled = False

    def _take(self, event: dict[str, Any]) -> bool:
        if not self.enabled:
            return False
        self._take_request(encode(event, keep_pii=self._keep_pii))
        return True

    def _take_request(self, line: bytes) -> None:
        self.events.append(json.loads(line))


class AsyncRecordingClient(RecordingClient):
    """Stands for AsyncAnalyticsClient."""

    async def flush(self, timeout: float = 10.0) -> bool:  # type: ignore[override]
        """Nothing waits."""
        return True

    async def close(self, timeout: float | None = None) -> bool:  # type: ignore[override]
        """Nothing waits."""
        return True


__all__ = ["AsyncRecordingClient", "InvalidEvent", "RecordingClient"]
