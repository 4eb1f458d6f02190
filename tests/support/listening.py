"""A client of server-sent events that resumes as a browser does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx


class Listener:
    """Remembers the last id over connections. `seen`: (id, data) of all events."""

    def __init__(self) -> None:
        self.last_id: str | None = None
        self.seen: list[tuple[int, dict[str, Any]]] = []

    async def listen(self, client: httpx.AsyncClient, url: str, **parameters: Any) -> AsyncIterator[str]:
        """The kinds of what comes on one connection; `beat` stands for an id alone."""
        headers = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        async with client.stream("GET", url, params=parameters, headers=headers) as answer:
            assert answer.status_code == 200, (await answer.aread()).decode()
            assert answer.headers["content-type"].startswith("text/event-stream")
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if line and name:
                    fields[name] = value
                elif not line and fields:
                    yield self._take(fields)
                    fields = {}

    def _take(self, fields: dict[str, str]) -> str:
        self.last_id = fields.get("id", self.last_id)
        if "data" not in fields:
            return "retry" if "retry" in fields else "beat"
        if fields["event"] == "event":
            self.seen.append((int(fields["id"]), json.loads(fields["data"])))
        return fields["event"]
