"""Restarts of the web process on a socket that somebody else keeps open: no connection is refused, none is hung up on."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import httpx

from tests.support.load import EVENTS, stored_ids
from tests.support.processes import clean_environment

RESTARTS = 3


LIKE_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-m", "analytics_api", "serve", "--with-worker"])
"""


def start(listener: socket.socket, folder: Path, url: str) -> subprocess.Popen[bytes]:
    """The server as systemd starts it: the socket is descriptor 3."""
    with (folder / "output.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", LIKE_SYSTEMD, str(listener.fileno())],
            cwd=folder,
            env=clean_environment({"ANALYTICS__DATABASE_URL": url, "ANALYTICS__SANDBOX_MODE": "true"}),
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


async def test_no_connection_is_refused_and_no_request_is_lost(database_url: str, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"

        async def visitor() -> None:
            """A new connection for each event, and no second try: whatever fails, fails the test."""
            while not over:
                one = str(uuid.uuid4())
                event = {"event_type": "load", "event_id": one}
                answer = await client.post(EVENTS, json=event, headers={"Connection": "close"})
                assert answer.status_code == 202, answer.text
                acknowledged.append(one)

        over = False
        client = httpx.AsyncClient(base_url=base, timeout=120)
        server = start(listener, tmp_path, database_url)
        visitors = [asyncio.create_task(visitor()) for _ in range(12)]
        try:
            for number in range(1, RESTARTS + 2):
                async with asyncio.timeout(120):
                    while len(acknowledged) < 150 * number and not any(one.done() for one in visitors):
                        assert server.poll() is None, (tmp_path / "output.log").read_text()
                        await asyncio.sleep(0.01)
                if number <= RESTARTS:
                    server.send_signal(signal.SIGTERM)
                    assert await asyncio.to_thread(server.wait, 120) == 0
                    server = start(listener, tmp_path, database_url)
            over = True
            await asyncio.gather(*visitors)
        finally:
            await client.aclose()
            server.terminate()
            server.wait(120)
    assert sorted(await stored_ids(database_url)) == sorted(acknowledged)
    assert len(acknowledged) >= 150 * (RESTARTS + 1)
