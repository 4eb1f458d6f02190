"""Real processes of the product for tests: started, awaited, stopped or killed, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

READY_SECONDS = 60
STOP_SECONDS = 180


def free_port() -> int:
    """A TCP port on loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without the product's settings, plus `extra`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANALYTICS__")}
    return {**inherited, "PYTHONUNBUFFERED": "1", **extra}


class ServerProcess:
    """`analytics-api serve` (or another command that serves) as a process of its own.

    `env` holds ANALYTICS__* settings; `folder` is its working directory and receives its output in `output.log`.
    Use it as a context manager: at the end the process is gone, whatever the test did.
    """

    def __init__(
        self, env: Mapping[str, str], folder: Path, *arguments: str, port: int | None = None
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = clean_environment(
            {"ANALYTICS__HOST": "127.0.0.1", "ANALYTICS__PORT": str(self.port), **env}
        )
        self._folder = folder
        self._log = folder / f"output-{self.port}.log"
        self._command = [sys.executable, "-m", "analytics_api", *(arguments or ("serve",))]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; `start` must have been called."""
        return self._running.pid

    @property
    def output(self) -> str:
        """All that the process has printed so far, on both streams."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the process has not been started")
        return self._process

    def start(self, *, wait: bool = True) -> Self:
        """Start the process, and wait until GET /health/ready answers 200 unless `wait` is false."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Poll GET /health/ready. Fails with the process's output when it ends or takes longer than a minute."""
        deadline = time.monotonic() + READY_SECONDS
        # Without certificates: to read all authorities takes 25 ms of the processor that the server needs.
        with httpx.Client(verify=False, timeout=5) as client:
            while time.monotonic() < deadline:
                if self._running.poll() is not None:
                    raise AssertionError(
                        f"exit code {self._running.returncode} before it was ready:\n{self.output}"
                    )
                try:
                    if client.get(f"{self.url}/health/ready").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.02)
        raise AssertionError(f"not ready within {READY_SECONDS} s:\n{self.output}")

    def wait(self) -> int:
        """Wait for the end of the process and return its exit code."""
        return self._running.wait(STOP_SECONDS)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to end, as an operator or Ctrl-C (SIGINT) does, and return its exit code."""
        self._running.send_signal(by)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL: no clean-up of its own runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
