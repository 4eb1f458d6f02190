"""A process of its own that sends what waits in the outbox: `python -m tests.support.alert_process URL TIME`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from tests.support.alerting import make_alerts
from tests.support.delivering import MovableClock
from tests.support.events import open_database


async def send(url: str, time: str) -> None:
    """Send at a time (ISO 8601) that stands still."""
    async with open_database(url) as database:
        alerts = make_alerts(database, MovableClock(datetime.fromisoformat(time)))
        await alerts.send()
        await alerts.close()


if __name__ == "__main__":
    asyncio.run(send(*sys.argv[1:]))
