"""A process of its own that works on replays: `python -m tests.support.replay_process URL PROVIDER OPTIONS OWNER BATCH`.

Works as the product's background work does, until no replay is running any more. OPTIONS is JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.outbound.connections import make_client
from analytics_api.store.replays import running_replays
from tests.support.events import open_database


async def work(url: str, provider: str, options: str, owner: str, batch: str) -> None:
    """Work on all that runs."""
    async with open_database(url) as database, make_client() as client:
        configs = [DestinationConfig(provider, json.loads(options))]
        destinations = Destinations(database, configs, client, owner=owner, batch_size=int(batch))
        while True:
            await destinations.replays.notice()
            async with database.acquire() as connection:
                if not await running_replays(connection):
                    break
            await asyncio.sleep(0.02)
        await destinations.close()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
