"""Programs that are killed, offline, fork, or share a spool: what `track` has returned an id for arrives, once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from analytics_client import AnalyticsClient, AsyncAnalyticsClient

from tests.client.conftest import Stored
from tests.support.intake import IntakeStandIn
from tests.support.processes import ServerProcess, free_port
from tests.support.providers.server import Fault


@contextmanager
def program(
    url: str, spool: Path, how: str, numbers: int = 0, *, python: str = sys.executable
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that tracks, gone at the end."""
    command = [python, "-m", "tests.support.client_process", url, str(spool), how, str(numbers)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def ids_of(child: subprocess.Popen[bytes]) -> list[str]:
    """All that it printed until its end; half a line is no id."""
    assert child.stdout is not None
    return child.stdout.read().decode().split("\n")[:-1]


def read_some(child: subprocess.Popen[bytes], number: int) -> list[str]:
    assert child.stdout is not None
    return [child.stdout.readline().decode().strip() for _ in range(number)]


async def arrived(stored: Stored) -> list[str]:
    return [row["id"] for row in await stored("counted")]


@pytest.mark.parametrize("how", ["track", "fork", "async", "multiprocessing"])
async def test_a_program_that_ends(server: ServerProcess, stored: Stored, tmp_path: Path, how: str) -> None:
    before = set(await arrived(stored))
    with program(server.url, tmp_path, how, 20 if how == "multiprocessing" else 200) as child:
        ids = ids_of(child)
        assert child.wait() == 0
    with AnalyticsClient(server.url, spool=tmp_path) as client:
        assert client.flush(30)  # Of what a pool's processes left behind.
    found = [one for one in await arrived(stored) if one not in before]
    assert sorted(found) == sorted(ids)
    assert len(ids) == {"fork": 200 + 4 * 20, "multiprocessing": 20}.get(how, 200)


async def test_programs_killed_while_they_send_lose_nothing(
    server: ServerProcess, stored: Stored, tmp_path: Path
) -> None:
    before = set(await arrived(stored))
    ids: list[str] = []
    for numbers in (30, 400, 1500):
        with (
            program(server.url, tmp_path, "endless") as first,
            program(server.url, tmp_path, "endless") as second,
        ):
            ids += read_some(first, numbers) + read_some(second, numbers)
            first.kill()
            second.kill()
            ids += ids_of(first) + ids_of(second)
    with AnalyticsClient(server.url, spool=tmp_path) as client:
        assert client.flush(60)
    found = [one for one in await arrived(stored) if one not in before]
    assert len(found) == len(set(found))
    assert set(ids) <= set(found)
    # At most one of each program was taken and not printed yet.
    assert len(found) <= len(ids) + 6
    assert not list(tmp_path.rglob("*.events"))


async def test_offline_runs_arrive_with_the_next_one(intake: IntakeStandIn, tmp_path: Path) -> None:
    intake.broken = Fault("reset")
    ids: list[str] = []
    for _ in range(3):
        client = AnalyticsClient(intake.url, spool=tmp_path)
        ids += [client.track("counted") or "" for _ in range(10)]
        assert not await asyncio.to_thread(client.close, 0.2)
        assert client._thread is not None
        await asyncio.to_thread(client._thread.join)  # What it still holds nobody else can send.
    intake.broken = None
    async with AsyncAnalyticsClient(intake.url, spool=tmp_path) as last:
        assert await last.flush(30)
        assert last.stats.sent == 30
    assert sorted(intake.events) == sorted(ids)
    assert not list(tmp_path.rglob("*.events"))


def test_a_living_program_keeps_its_segment(server: ServerProcess, tmp_path: Path) -> None:
    with program(f"http://127.0.0.1:{free_port()}", tmp_path, "sleep", 5) as child:
        read_some(child, 5)
        (folder,) = tmp_path.iterdir()
        time.sleep(0.2)
        (segment,) = folder.iterdir()
        assert len(segment.read_bytes().splitlines()) == 5
        child.kill()
    assert segment.exists()
