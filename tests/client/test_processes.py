"""Programs that are killed, offline, fork, or share a spool: what `track` has returned an id for arrives, once."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from analytics_client import AnalyticsClient, AsyncAnalyticsClient

from tests.client.conftest import Stored
from tests.support.intake import IntakeStandIn
from tests.support.processes import ServerProcess, free_port
from tests.support.providers.server import Fault


@dataclass(frozen=True)
class Interpreter:
    """A Python, and the folders that it imports from."""

    path: str
    folders: list[str]


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """Python 3.9 with the client and httpx, which is plain Python; anyio, which asyncio needs, comes in a version for newer ones."""
    home = Path.home()
    managed = [*home.glob(".pyenv/versions/3.9.*/bin/python3.9"), *Path("/usr/bin").glob("python3.9")]
    managed += home.glob(".local/share/uv/python/cpython-3.9*/bin/python3.9")
    if not managed:
        pytest.skip("no Python 3.9 on this machine: pyenv install 3.9, or uv python install 3.9")
    folder = tmp_path_factory.mktemp("packages")
    for name in ("httpx", "httpcore", "h11", "idna", "certifi", "analytics_client"):
        (folder / name).symlink_to(Path(str(importlib.import_module(name).__file__)).parent)
    return Interpreter(str(managed[0]), [str(folder), str(Path(__file__).parents[2])])


@contextmanager
def program(
    url: str, spool: Path, how: str, numbers: int = 0, *, python: Interpreter | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that tracks, gone at the end."""
    python = python or Interpreter(sys.executable, [path for path in sys.path if path])
    command = [python.path, "-m", "tests.support.client_process", url, str(spool), how, str(numbers)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(python.folders), "PYTHONDONTWRITEBYTECODE": "1"}
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


@pytest.mark.parametrize("how", ["track", "fork"])
async def test_a_program_of_the_oldest_python(
    server: ServerProcess, stored: Stored, tmp_path: Path, oldest: Interpreter, how: str
) -> None:
    before = set(await arrived(stored))
    with program(server.url, tmp_path, how, 100, python=oldest) as child:
        ids = ids_of(child)
        assert child.wait() == 0
    assert sorted(set(await arrived(stored)) - before) == sorted(ids)
    assert len(ids) == {"fork": 100 + 2 * 20, "track": 100}[how]


def test_all_of_the_client_can_be_imported_by_the_oldest_python(oldest: Interpreter) -> None:
    names = [path.stem for path in Path(oldest.folders[0], "analytics_client").glob("*.py")]
    subprocess.run(
        [oldest.path, "-c", "".join(f"import analytics_client.{name}\n" for name in names)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(oldest.folders), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )


async def test_a_server_that_hangs_does_not_hold_up_the_end_of_a_program(
    intake: IntakeStandIn, tmp_path: Path
) -> None:
    intake.broken = Fault("hang")
    with program(intake.url, tmp_path, "hasty", 50) as child:
        ids = await asyncio.to_thread(ids_of, child)
        assert await asyncio.to_thread(child.wait) == 0
    intake.broken = None
    async with AsyncAnalyticsClient(intake.url, spool=tmp_path) as client:
        assert await client.flush(30)
    assert sorted(intake.events) == sorted(ids)


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
