"""Starts the background work as a process of its own, without what the web process alone needs."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from analytics_api import telemetry
from analytics_api.database import database_url
from analytics_api.domain.clock import system_clock
from analytics_api.outbound.connections import make_client
from analytics_api.settings import Settings
from analytics_api.store.engine import Database
from analytics_api.store.migrate import upgrade
from analytics_api.store.partitions import Partitions
from analytics_api.store.projects import DEFAULT, ensure_project
from analytics_api.worker import Worker, make_services

T = TypeVar("T")

COLLECT_AFTER = 100_000
"""Objects made before Python looks for cycles. At its default of 700 that took a quarter of the time of a large batch, whose
thousands of dictionaries are all still in use; what intake makes has no cycles and goes by reference counts."""


def collect_rarely() -> None:
    """Once a process has started: look for cycles among what it makes from now on, and that seldom."""
    gc.collect()
    # What a started process holds stays; there is no need to look through it again and again.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)


def _event_loop() -> asyncio.AbstractEventLoop:
    """One of uvloop, as uvicorn takes it, except on Windows, which has none."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop()
    return new_event_loop()


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run something in the event loop that a server has, and look for cycles as rarely as a server does."""
    collect_rarely()
    with asyncio.Runner(loop_factory=_event_loop) as runner:
        return runner.run(work)


def run_worker(settings: Settings) -> None:
    """Do the background work until SIGINT or SIGTERM."""
    telemetry.configure_logging(settings.log_level)
    with database_url(settings) as url:
        upgrade(url)
        run_to_end(_work(settings, url))


async def _work(settings: Settings, url: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        database = Database(url)
        await database.open()
        stack.push_async_callback(database.close)
        client = await stack.enter_async_context(make_client())
        async with database.write() as connection:
            await ensure_project(
                connection,
                DEFAULT,
                time_zone=settings.time_zone,
                currency=settings.currency,
                now=system_clock(),
            )
        services = make_services(
            settings, database, client, partitions=Partitions(settings.partition_interval)
        )
        stack.push_async_callback(services.rollups.disconnect)
        await services.destinations.ensure()
        worker = Worker(services)
        worker.start()
        stack.push_async_callback(worker.stop)
        await stop.wait()
