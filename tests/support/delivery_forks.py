"""Delivering processes that die at a chosen step: `python -m tests.support.delivery_forks URL`, one at a time.

Reads pickled `Order`s from its input, forks a process for each and writes that process's exit code. Forks of a process that
has everything imported begin at once.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from analytics_api.deliver.destination import DestinationConfig, open_destination
from analytics_api.deliver.reader import DestinationReader
from analytics_api.deliver.replay_reader import ReplayReader
from analytics_api.domain.project import Project
from analytics_api.outbound import http
from analytics_api.outbound.connections import certificates, make_client
from analytics_api.store import log
from analytics_api.store.replays import Replay
from tests.support.delivering import MovableClock
from tests.support.events import open_database
from tests.support.steps import Countdown, steps_made, watching


@dataclass(frozen=True)
class Order:
    """One run of a reader, and the number of steps after which its process is killed."""

    project: Project
    config: DestinationConfig
    replay: Replay | None
    owner: str
    batch_size: int
    now: datetime
    steps: int
    patience: float
    """Seconds, for a provider's answer and for transactions that write."""


class DeliveryForks:
    """The process that forks."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.delivery_forks", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    async def run(self, order: Order) -> bool:
        """Let a process follow the order. True: it was killed on the way; False: it came to the end of its run."""
        code = await asyncio.to_thread(self._follow, order)
        assert code in (0, -signal.SIGKILL), f"the delivering process ended with {code}, see its output"
        return code != 0

    def _follow(self, order: Order) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(order, self._process.stdin)
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


async def deliver(url: str, order: Order) -> None:
    """One run."""

    async def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    http.TOTAL_SECONDS = log.PATIENCE = order.patience
    async with open_database(url) as database, make_client() as client:
        watching(Countdown(order.steps, die))
        to = open_destination(order.config, muted=False)
        clock = MovableClock(order.now)
        reader: DestinationReader
        if order.replay is None:
            reader = DestinationReader(
                *(database, order.project, to, client, order.owner), batch_size=order.batch_size, clock=clock
            )
        else:
            reader = ReplayReader(
                *(database, order.project, to, order.replay, client, order.owner),
                batch_size=order.batch_size,
                clock=clock,
            )
        await reader.run_once()


def _fork(url: str, order: Order) -> int:
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(deliver(url, order))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _orders() -> Iterator[Order]:
    while True:
        try:
            yield pickle.load(sys.stdin.buffer)
        except EOFError:
            return


if __name__ == "__main__":
    # What every fork needs is read and imported once.
    import aiohttp  # noqa: F401

    certificates()
    with steps_made():
        for order in _orders():
            open_destination(order.config, muted=False)
            print(_fork(sys.argv[1], order), flush=True)
