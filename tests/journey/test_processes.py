"""Real processes: restarts, kills, Ctrl-C, several at once, and what they say when something is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import asyncpg
import httpx
import pytest
from sqlalchemy import make_url

from tests.support.processes import ServerProcess, clean_environment

EVENTS = "/api/v1/analytics/events"
Start = Callable[..., ServerProcess]


def command(
    folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analytics_api", *arguments],
        cwd=folder,
        env=clean_environment(env or {}),
        capture_output=True,
        text=True,
    )


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence with which a command ended; fails on a traceback."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line and not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_data_is_there_after_kill_and_restart(process: Start, tmp_path: Path) -> None:
    """SIGKILL of the server in the middle of requests: what was answered is there, once, after the next start."""
    first = process({}, "run")
    sent: list[str] = []
    with httpx.Client(base_url=first.url) as client:
        for _ in range(60):
            event_id = str(uuid.uuid4())
            if client.post(EVENTS, json={"event_type": "before", "event_id": event_id}).status_code == 202:
                sent.append(event_id)
        first.kill()
    second = process({}, "run")
    with httpx.Client(base_url=second.url) as client:
        answer = client.post(EVENTS, json=[{"event_type": "before", "event_id": one} for one in sent]).json()
    assert answer["duplicates"] == len(sent) == 60
    assert second.stop(signal.SIGINT) == 0
    third = process({}, "run")
    assert third.stop(signal.SIGTERM) == 0


def test_ids_answered_are_stored_when_killed_under_load(process: Start, database_url: str) -> None:
    server = process({"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}, "run")
    answered, unanswered = asyncio.run(_load_until_killed(server))
    stored = asyncio.run(_stored_ids(database_url))
    assert len(answered) > 100
    assert len(stored) == len(set(stored)), "an event was stored twice"
    assert answered <= set(stored), "an acknowledged event is missing"
    assert set(stored) <= answered | unanswered


async def _load_until_killed(server: ServerProcess) -> tuple[set[str], set[str]]:
    answered: set[str] = set()
    begun: set[str] = set()

    async def sender(client: httpx.AsyncClient) -> None:
        while True:
            ids = [str(uuid.uuid4()) for _ in range(5)]
            begun.update(ids)
            try:
                answer = await client.post(
                    EVENTS, json=[{"event_type": "load", "event_id": one} for one in ids]
                )
            except httpx.TransportError:
                return
            if answer.status_code == 202:
                answered.update(ids)

    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        senders = [asyncio.create_task(sender(client)) for _ in range(16)]
        while len(answered) < 1000:
            await asyncio.sleep(0.01)
        server.kill()
        await asyncio.gather(*senders)
    return answered, begun - answered


async def _stored_ids(url: str) -> list[str]:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        return [
            str(row["event_id"])
            for row in await connection.fetch("SELECT event_id FROM events WHERE event_type = 'load'")
        ]
    finally:
        await connection.close()


def test_terminated_under_load_it_answers_what_it_began_and_exits_0(
    process: Start, database_url: str
) -> None:
    server = process({"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}, "run")

    async def scenario() -> set[str]:
        answered: set[str] = set()

        async def sender(client: httpx.AsyncClient) -> None:
            while True:
                one = str(uuid.uuid4())
                try:
                    answer = await client.post(EVENTS, json={"event_type": "load", "event_id": one})
                except httpx.TransportError:
                    return
                if answer.status_code == 202:
                    answered.add(one)

        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            senders = [asyncio.create_task(sender(client)) for _ in range(8)]
            while len(answered) < 200:
                await asyncio.sleep(0.01)
            os.kill(server.pid, signal.SIGTERM)
            await asyncio.gather(*senders)
        return answered

    answered = asyncio.run(scenario())
    assert server.wait() == 0
    assert answered <= set(asyncio.run(_stored_ids(database_url)))


def test_a_second_command_uses_the_running_server(process: Start, tmp_path: Path) -> None:
    server = process({}, "run")
    made = command(tmp_path, "projects", "create", "shop", "--time-zone", "Europe/Berlin")
    assert made.returncode == 0, made.stderr
    key = command(tmp_path, "keys", "create", "--kind", "write", "--project", "shop").stdout.splitlines()[-1]
    answer = httpx.post(server.url + EVENTS, json={"event_type": "a"}, headers={"X-API-Key": key})
    assert answer.status_code == 202
    rows = command(tmp_path, "psql", "-Atc", "SELECT count(*) FROM events WHERE event_type = 'a'")
    assert rows.stdout.strip() == "1"
    assert "shop" in command(tmp_path, "projects", "list").stdout
    assert key not in command(tmp_path, "keys", "list", "--project", "shop").stdout


def test_two_servers_on_one_database_run_each_reader_once(process: Start, database_url: str) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}
    servers = [process(env, "run"), process(env, "run")]
    for number in range(40):
        for server in servers:
            answer = httpx.post(
                server.url + EVENTS, json=[{"event_type": "both", "user_id": f"u{number % 5}"}] * 3
            )
            assert answer.status_code == 202
    for server in servers:
        assert httpx.get(f"{server.url}/api/v1/analytics/process-events", timeout=60).status_code == 200

    async def counted() -> int:
        dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn)
        try:
            for _ in range(600):
                total = await connection.fetchval(
                    "SELECT sum(events) FROM event_days WHERE event_type = 'both'"
                )
                if total == 240:
                    break
                await asyncio.sleep(0.05)
            return int(total or 0)
        finally:
            await connection.close()

    assert asyncio.run(counted()) == 240
    for server in servers:
        assert server.stop() == 0


def test_a_taken_port_is_one_sentence(tmp_path: Path, database_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command(
            tmp_path, "run", env={"ANALYTICS__PORT": str(port), "ANALYTICS__DATABASE_URL": database_url}
        )
    assert one_sentence(done) == (
        f"analytics-api: Port {port} on 127.0.0.1 is taken by another program; stop it or set ANALYTICS__PORT."
    )


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"ANALYTICS__DATABASE_URL": "postgresql://me:hidden@127.0.0.1:1/db"}, "cannot be reached"),
        ({"ANALYTICS__DATABASE_URL": "mysql://127.0.0.1/db"}, "only PostgreSQL is supported"),
        ({"ANALYTICS__DATABASE_URL": "nonsense"}, "ANALYTICS__DATABASE_URL is not a URL"),
        ({"ANALYTICS__BATCH_SIZE": "many"}, "ANALYTICS__BATCH_SIZE: input should be a valid integer"),
        (
            {"ANALYTICS__BATCHSIZE": "10"},
            "ANALYTICS__BATCHSIZE is not a setting; did you mean ANALYTICS__BATCH_SIZE?",
        ),
        ({"ANALYTICS__TIME_ZONE": "Europe/Berln"}, "did you mean Europe/Berlin?"),
        ({"ANALYTICS__PORT": "70000"}, "ANALYTICS__PORT: input should be less than or equal to 65535"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    tmp_path: Path, free_port: int, env: dict[str, str], words: str
) -> None:
    done = command(tmp_path, "run", env={"ANALYTICS__PORT": str(free_port), **env})
    sentence = one_sentence(done)
    assert words in sentence
    assert "hidden" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (
            {"ANALYTICS__GEOIP_DATABASE": "missing.mmdb"},
            "ANALYTICS__GEOIP_DATABASE: missing.mmdb cannot be used",
        ),
        ({"ANALYTICS__SMTP_HOST": "localhost"}, "ANALYTICS__SMTP_FROM is missing"),
    ],
)
def test_a_wrong_setting_found_at_the_start_is_one_sentence(
    tmp_path: Path, free_port: int, database_url: str, env: dict[str, str], words: str
) -> None:
    always = {"ANALYTICS__PORT": str(free_port), "ANALYTICS__DATABASE_URL": database_url}
    done = command(tmp_path, "serve", "--with-worker", env={**always, **env})
    assert words in one_sentence(done)
    assert "Traceback" not in done.stderr + done.stdout


def test_a_wrong_line_in_the_settings_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env.analytics").write_text("ANALYTICS__SANDBOX=true\n")
    sentence = one_sentence(command(tmp_path, "migrate"))
    assert (
        sentence
        == "analytics-api: ANALYTICS__SANDBOX is not a setting; did you mean ANALYTICS__SANDBOX_MODE?"
    )


def test_alembic_by_hand(tmp_path: Path, empty_database_url: str) -> None:
    root = Path(__file__).parents[2]
    for arguments in (["upgrade", "head"], ["downgrade", "base"], ["upgrade", "head"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=root,
            env=clean_environment({"ANALYTICS__DATABASE_URL": empty_database_url}),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_demo_fills_a_project_of_its_own_and_adds_nothing_twice(tmp_path: Path, database_url: str) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url}
    first = command(tmp_path, "demo", "--days", "3", env=env)
    assert first.returncode == 0, first.stderr
    assert int(first.stdout.split()[0]) > 500
    second = command(tmp_path, "demo", "--days", "2", env=env)
    assert int(second.stdout.split()[0]) < 50
