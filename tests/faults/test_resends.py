"""A storm of resends: every batch three times from two processes at once, their clocks hours, days and centuries off."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from analytics_api.store.embedded import EmbeddedServer
from tests.support.load import stored_ids
from tests.support.processes import ServerProcess

BATCHES = 60


@pytest.mark.parametrize("size", [20, 150], ids=["small", "large"])
def test_each_event_is_stored_once(process: Callable[..., ServerProcess], tmp_path: Path, size: int) -> None:
    server = process({"ANALYTICS__SANDBOX_MODE": "true"}, "run")
    command = [sys.executable, "-m", "tests.support.storm", server.url, "7", str(BATCHES), str(size)]
    senders = [subprocess.Popen(command) for _ in range(2)]
    assert [sender.wait() for sender in senders] == [0, 0]
    data_dir = tmp_path / ".data"
    stored = asyncio.run(stored_ids(EmbeddedServer(data_dir).url))
    assert len(stored) == len(set(stored)) == BATCHES * size
    httpx.post(f"{server.url}/api/v1/analytics/process-events", timeout=60).raise_for_status()
    assert server.stop() == 0
    assert "ERROR" not in (data_dir / "postgres.log").read_text(), "it would name people"
