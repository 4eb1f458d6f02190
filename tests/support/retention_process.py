"""A run of retention with few events in a step and long rests: `python -m tests.support.retention_process URL NOW`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from analytics_api.privacy.retention import apply_retention
from tests.support.events import open_database


async def main(url: str, now: datetime) -> None:
    """Until it is killed."""
    async with open_database(url) as database:
        await apply_retention(database, now, retention_days=365, dedupe_days=30, rest=20, events_per_step=10)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
