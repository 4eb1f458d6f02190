"""The API's own product requests as `api_request` events: queued by the middleware, written in small batches."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

import orjson

from analytics_api.domain.api_request import ApiRequest
from analytics_api.domain.clock import system_clock
from analytics_api.domain.event import EventType, NewEvent
from analytics_api.domain.identity import mint_event_id, person_of
from analytics_api.errors import Unavailable
from analytics_api.ingest.pipeline import ROW_OVERHEAD
from analytics_api.ingest.service import Intake
from analytics_api.telemetry import untracked_requests

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000
PAUSE = 0.25
"""Seconds between batches: requests share transactions and the figures are still a second old at most."""


class ApiRequestRecorder:
    """Takes notes of requests without ever making one wait; what does not fit is dropped and counted."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._waiting: deque[ApiRequest] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="api-requests")

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def add(self, request: ApiRequest) -> None:
        """Take a note of a request that has a project."""
        if len(self._waiting) >= MOST_WAITING or self._closing:
            untracked_requests.inc()
            return
        self._waiting.append(request)
        self._wake.set()

    async def _run(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            await self._write()
            if not self._closing:
                await asyncio.sleep(PAUSE)
        await self._write()

    async def _write(self) -> None:
        requests, self._waiting = list(self._waiting), deque()
        events = [event for request in requests if (event := _event(request)) is not None]
        try:
            await self._intake.write(events)
        except Unavailable as error:
            untracked_requests.inc(len(requests))
            logger.warning("%s requests were not tracked: %s", len(requests), error.detail)


def _event(request: ApiRequest) -> NewEvent | None:
    project = request.project
    if project is None:
        return None
    event_id = mint_event_id()
    person_id, has_person = person_of(project.namespace, None, None, event_id)
    data = {
        "method": request.method,
        "route": request.route,
        "status": request.status,
        "duration_ms": round(request.seconds * 1000, 3),
        "caller": request.caller,
    }
    text = orjson.dumps(data).decode()
    return NewEvent(
        project_id=project.id,
        event_id=event_id,
        keyed=False,
        person_id=person_id,
        has_person=has_person,
        user_id=None,
        anonymous_id=None,
        session_id=None,
        event_type=EventType.API_REQUEST.value,
        event_data=text,
        user_properties=None,
        context="{}",
        revenue=None,
        currency=None,
        occurred_at=request.at,
        received_at=system_clock(),
        is_bot=False,
        trusted=True,
        size=len(text) + ROW_OVERHEAD,
    )
