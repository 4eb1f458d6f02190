"""The `analytics-api` command as people run it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.processes import clean_environment


async def analytics_api(
    env: Mapping[str, str], folder: Path, *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run it in a thread: the stand-ins live in this loop."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "analytics_api", *arguments],
        cwd=folder,
        env=clean_environment(env),
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
