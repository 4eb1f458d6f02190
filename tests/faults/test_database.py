"""The embedded database dies, stops, hangs or has no room left, under load: ids sent are compared with ids stored.

Every acknowledged event is stored exactly once, nothing else is, and the server comes back by itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from sqlalchemy import make_url

from analytics_api.store.embedded import EmbeddedServer
from tests.support.load import Load, check
from tests.support.processes import ServerProcess

Start = Callable[..., ServerProcess]


@pytest.fixture
def server(process: Start) -> ServerProcess:
    return process({}, "run")


@pytest.fixture
def url(server: ServerProcess, tmp_path: Path) -> str:
    return EmbeddedServer(tmp_path / ".data").url


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def dsn(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string()


@pytest.mark.parametrize(
    "by", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT], ids=["killed", "immediate", "fast"]
)
async def test_a_database_that_ends_is_started_again(
    server: ServerProcess, url: str, tmp_path: Path, by: signal.Signals
) -> None:
    async with Load(server.url) as load:
        await load.reach(300)
        before = postmaster(tmp_path / ".data")
        os.kill(before, by)
        await load.reach(600)
        assert postmaster(tmp_path / ".data") != before
        await load.finish()
    await check(load, url)
    assert set(load.answers) <= {202, 503}, "nobody was hung up on"
    assert "starting it again" in server.output
    assert server.stop() == 0


async def test_a_killed_backend_takes_all_connections_with_it(server: ServerProcess, url: str) -> None:
    """PostgreSQL itself restarts then: shared memory may be broken."""
    async with Load(server.url) as load:
        for _ in range(3):
            await load.reach(300)
            connection = await asyncpg.connect(dsn(url))
            writing = await connection.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE '%event_keys%' AND pid <> pg_backend_pid() LIMIT 1"
            )
            os.kill(writing, signal.SIGKILL)
            connection.terminate()
        await load.reach(300)
        await load.finish()
    await check(load, url)
    assert set(load.answers) <= {202, 503}


async def test_nobody_can_connect_for_a_while(server: ServerProcess, url: str) -> None:
    """As while PostgreSQL starts again: its socket is not there, which is no refused connection."""
    folder = Path(str(make_url(url).query["host"]))
    [socket] = [each for each in folder.iterdir() if each.is_socket()]
    connection = await asyncpg.connect(dsn(url))
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for path in ("/health/ready", "/api/v1/analytics/metrics/dashboard"):
            assert (await client.get(path)).status_code == 200
        async with Load(server.url) as load:
            await load.reach(100)
            away = socket.rename(folder / "away")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            await load.meet(503)
            # What the server knows of projects and keys is asked for anew after 5 s.
            await asyncio.sleep(6)
            answers = [
                (await client.get("/api/v1/analytics/metrics/dashboard")).status_code for _ in range(5)
            ]
            away.rename(socket)
            await load.reach(100)
            await load.finish()
        assert answers == [503] * 5
        assert (await client.get("/api/v1/analytics/metrics/dashboard")).status_code == 200
    await connection.close()
    await check(load, url)
    assert set(load.answers) <= {202, 503}


async def test_a_slow_database_fills_the_queue_and_not_the_memory(process: Start, tmp_path: Path) -> None:
    server = process({"ANALYTICS__INTAKE_QUEUE_BYTES": "3000000"}, "run")
    url = EmbeddedServer(tmp_path / ".data").url
    async with Load(server.url, senders=100, batch=20, padding=2000) as load:
        await load.reach(1000)
        before = resident_bytes(server.pid)
        connection = await asyncpg.connect(dsn(url))
        async with connection.transaction():
            await connection.execute("LOCK TABLE event_keys IN ACCESS EXCLUSIVE MODE")
            acknowledged = len(load.acknowledged)
            await load.meet(503)
            await asyncio.sleep(2)
            # Those in the one statement that was through already.
            assert len(load.acknowledged) - acknowledged <= 2000, "an answer came before the commit"
            assert resident_bytes(server.pid) - before < 60_000_000
            async with httpx.AsyncClient(base_url=server.url) as client:
                assert (await client.get("/health/live")).status_code == 200
        await connection.close()
        await load.reach(1000)
        await load.finish()
    await check(load, url)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 220 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=220m,mode=755", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(
            f"not shown: a file system of limited size cannot be made here ({mounted.stderr.strip()})"
        )
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_said_and_outlived(small_disk: Path, process: Start) -> None:
    """Writes fail, then the write-ahead log, then PostgreSQL gives up; with room again all goes on by itself."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(60_000_000))
    data_dir = small_disk / "data"
    server = process({"ANALYTICS__DATA_DIR": str(data_dir)}, "run")
    async with Load(server.url, senders=6, batch=50, padding=4000) as load:
        await load.meet(503)
        await asyncio.sleep(3)
        assert (await asyncio.to_thread(httpx.get, f"{server.url}/health/live")).status_code == 200
        stuck = len(load.acknowledged)
        ballast.unlink()
        await load.reach(100)
        assert len(load.acknowledged) > stuck
        await load.finish()
    await check(load, EmbeddedServer(data_dir).url)
    assert set(load.answers) <= {202, 503}
    assert server.stop() == 0
