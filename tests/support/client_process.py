"""A program that tracks: `python -m tests.support.client_process URL SPOOL HOW NUMBER`, printing the id of each event.

HOW: `track` ends as programs do, `hasty` waits no time for the server then, `endless` never ends, `fork` tracks in children as well, `async` with asyncio,
`multiprocessing` in a pool's processes, which end without their exit handlers, `sleep` tracks and stays.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import sys
import time

from analytics_client import AnalyticsClient, AsyncAnalyticsClient


def say(client: AnalyticsClient | AsyncAnalyticsClient, number: int) -> None:
    """Track, then print the id: what is printed must arrive."""
    made = client.track("counted", {"number": number, "process": os.getpid()}, user_id=f"u{number % 7}")
    os.write(1, f"{made}\n".encode())


def with_children(client: AnalyticsClient, numbers: int) -> None:
    """Fork while the thread sends."""
    children = []
    for number in range(numbers):
        say(client, number)
        if number % 50 == 25:
            child = os.fork()
            if child == 0:
                for own in range(numbers, numbers + 20):
                    say(client, own)
                sys.exit()
            children.append(child)
    for child in children:
        os.waitpid(child, 0)


async def in_a_loop(url: str, spool: str, numbers: int) -> None:
    """As asyncio programs do."""
    async with AsyncAnalyticsClient(url, spool=spool, flush_interval=0.05) as client:
        for number in range(numbers):
            say(client, number)
            await asyncio.sleep(0)


def main(url: str, spool: str, how: str, numbers: int) -> None:
    """See above."""
    if how == "async":
        asyncio.run(in_a_loop(url, spool, numbers))
        return
    limit = 0.2 if how == "hasty" else 20
    client = AnalyticsClient(url, spool=spool, flush_interval=0.05, exit_timeout=limit)
    if how == "fork":
        with_children(client, numbers)
    elif how == "multiprocessing":
        say(client, 0)
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=say, args=(client, number)) for number in range(1, numbers)]
        for child in children:
            child.start()
        for child in children:
            child.join()
    else:
        for number in itertools.count() if how == "endless" else range(numbers):
            say(client, number)
    if how == "sleep":
        time.sleep(3600)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
