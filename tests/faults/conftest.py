"""One server process for all tests that send it what no client should."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import URL

from tests.support.databases import scratch_database, text
from tests.support.processes import ServerProcess
from tests.support.raw import ask, request

TIMEOUT = 3
QUEUE_BYTES = 16_000_000
USUAL_FILES = 1024


@dataclass(frozen=True, slots=True)
class Target:
    """A server process and its database."""

    server: ServerProcess
    database: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def memory(self, what: str = "VmRSS") -> int:
        """Bytes that the process has in memory; VmHWM is the most that it ever had."""
        for line in Path(f"/proc/{self.server.pid}/status").read_text().splitlines():
            if line.startswith(f"{what}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"/proc has no {what}")

    def open_files(self) -> int:
        """Its file descriptors."""
        return len(list(Path(f"/proc/{self.server.pid}/fd").iterdir()))

    def gauge(self, name: str) -> int:
        """A figure of its metrics."""
        for line in httpx.get(f"{self.server.url}/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return int(float(line.split()[1]))
        raise AssertionError(f"no metric {name}")

    async def still_serves(self) -> None:
        """A good event on a connection of its own is stored, and nothing went wrong inside."""
        [answer] = await ask(self.port, request(b'{"event_type": "good"}'))
        assert answer.status == 202
        assert answer.json["accepted"] == 1
        assert "Traceback" not in self.server.output


@pytest.fixture(scope="package")
def hostile_target(
    database_server: URL, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """The web process, started with the 1,024 open files of a usual shell, on a database of its own."""
    settings = {
        "ANALYTICS__SANDBOX_MODE": "true",
        "ANALYTICS__CLIENT_TIMEOUT_SECONDS": str(TIMEOUT),
        "ANALYTICS__INTAKE_QUEUE_BYTES": str(QUEUE_BYTES),
    }
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with scratch_database(database_server, template=migrated_template) as url:
        env = {**settings, "ANALYTICS__DATABASE_URL": text(url)}
        with ServerProcess(env, tmp_path_factory.mktemp("hostile")) as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_FILES, hard))
            try:
                server.start()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            yield Target(server, text(url))
            assert server.stop() == 0
