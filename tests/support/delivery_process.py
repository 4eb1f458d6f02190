"""A process of its own that delivers: `python -m tests.support.delivery_process URL PROVIDER OPTIONS OWNER LEASE BATCH`.

Runs until everything that was in the log when it started has been handed on. OPTIONS is JSON, LEASE is in seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta

from analytics_api.deliver import reader as reader_module
from analytics_api.deliver.report import DeliveryState
from analytics_api.domain.clock import system_clock
from analytics_api.outbound.connections import make_client
from analytics_api.store.deliveries import reader_name
from analytics_api.store.log import safe_position
from analytics_api.store.readers import ensure_reader
from tests.support.delivering import destination
from tests.support.events import make_project, open_database


async def deliver(url: str, provider: str, options: str, owner: str, lease: str, batch: str) -> None:
    """Deliver until the end of the log."""
    reader_module.LEASE = timedelta(seconds=float(lease))
    async with open_database(url) as database, make_client() as client:
        project = await make_project(database)
        async with database.acquire() as connection:
            end = await safe_position(connection)
            await ensure_reader(connection, project.id, reader_name(provider), 0, system_clock())
        reader = reader_module.DestinationReader(
            database,
            project,
            destination(provider, json.loads(options)),
            client,
            owner,
            batch_size=int(batch),
        )
        position = -1
        while position < end:
            report = await reader.run_once()
            position = report.position
            if report.state == DeliveryState.HELD_ELSEWHERE:
                await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(deliver(*sys.argv[1:]))
