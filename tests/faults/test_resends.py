"""A storm of resends: every batch three times from two processes at once, their clocks hours, days and centuries off."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import httpx

from tests.support.load import stored_ids
from tests.support.processes import ServerProcess
from tests.support.storm import BATCH

BATCHES = 60


def test_each_event_is_stored_once(process: Callable[..., ServerProcess], database_url: str) -> None:
    server = process({"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}, "run")
    command = [sys.executable, "-m", "tests.support.storm", server.url, "7", str(BATCHES)]
    senders = [subprocess.Popen(command) for _ in range(2)]
    assert [sender.wait() for sender in senders] == [0, 0]
    stored = asyncio.run(stored_ids(database_url))
    assert len(stored) == len(set(stored)) == BATCHES * BATCH
    httpx.post(f"{server.url}/api/v1/analytics/process-events", timeout=60).raise_for_status()
    assert server.stop() == 0
