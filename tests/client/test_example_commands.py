"""The examples, each started by the one command of its README, while the analytics server dies and comes back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.client.test_examples import EXAMPLES, stored
from tests.support.processes import ServerProcess, free_port

README = (EXAMPLES / "README.md").read_text()
ONE_VISIT = {"page_view": 2, "generation_started": 1, "generation_completed": 1}


@contextmanager
def started(command: str, env: dict[str, str], *more: str) -> Iterator[str]:
    """The application that a command of the README starts, at an address of its own."""
    assert f"`{command}`" in README
    program, *arguments = command.split()
    port = free_port()
    run = [sys.executable] if program == "python" else [str(Path(sys.executable).with_name(program))]
    with subprocess.Popen(
        [*run, *arguments, *(part.format(port=port) for part in more)],
        cwd=EXAMPLES.parent,
        env={**env, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def answer(call: httpx.Request) -> int:
    """The status of an application's answer, once it listens."""
    async with asyncio.timeout(60), httpx.AsyncClient(timeout=60) as client:
        while True:
            try:
                return (await client.send(call)).status_code
            except httpx.ConnectError:
                await asyncio.sleep(0.1)


async def test_each_runs_by_its_command_and_loses_nothing_while_the_server_is_away(
    database_url: str, tmp_path: Path
) -> None:
    server_env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}
    port = free_port()
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "ANALYTICS_URL": f"http://127.0.0.1:{port}",
        "ANALYTICS_SPOOL": str(tmp_path / "spool"),
    }
    for name in ("DO_NOT_TRACK", "ANALYTICS_KEY"):
        env.pop(name, None)
    with ExitStack() as running:

        def start(command: str, *more: str) -> str:
            return running.enter_context(started(command, env, *more))

        server = running.enter_context(ServerProcess(server_env, tmp_path, port=port))
        platform = start("python examples/platform/app.py")
        metalise = start("python examples/metalise/app.py")
        cloudface = start("python examples/cloudface/app.py")
        mixbot = start(
            "streamlit run examples/mixbot/app.py", "--server.headless=true", "--server.port={port}"
        )

        async def visit() -> None:
            made = {"user_id": "ada", "prompt": "a cat"}
            assert await answer(httpx.Request("POST", f"{platform}/generations", json=made)) == 200
            for page in (f"{metalise}/", f"{cloudface}/", f"{mixbot}/_stcore/health"):
                assert await answer(httpx.Request("GET", page)) == 200

        async def arrived(times: int) -> None:
            wanted = Counter({name: times * number for name, number in ONE_VISIT.items()})
            async with asyncio.timeout(90):
                while not (found := await stored(database_url)) >= wanted:
                    await asyncio.sleep(0.1)
            assert {name: found[name] for name in ONE_VISIT} == wanted

        await asyncio.to_thread(server.start)
        await visit()
        await arrived(1)
        server.kill()
        await visit()
        with ServerProcess(server_env, tmp_path, port=port) as again:
            await asyncio.to_thread(again.start)
            await arrived(2)
