"""All events of a choice, page by page: each page is a query of its own, so that memory and transactions stay small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from analytics_api.query.export.formats import Writer
from analytics_api.store.engine import Database
from analytics_api.store.event_pages import EventChoice, following
from analytics_api.store.metrics.days import rollup_position

PAGE = 500
"""Events may have 64 KB each."""


async def exported(database: Database, choice: EventChoice, writer: Writer) -> AsyncIterator[bytes]:
    """The bytes of the file, with all events that were counted when it began, in the order of the log."""
    position = 0
    async with database.read() as connection:
        upto = await rollup_position(connection, choice.project_id) or 0
    while True:
        async with database.read() as connection:
            rows = await following(connection, choice, PAGE, after=position, upto=upto)
        if rows:
            yield await asyncio.to_thread(writer.page, rows)
            position = rows[-1].seq
        if len(rows) < PAGE:
            break
    yield await asyncio.to_thread(writer.end)
