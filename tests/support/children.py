"""Python modules as processes of their own, for tests that stop and kill them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress


class Child:
    """A process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self) -> int:
        """Exit code; the output is shown when it is not 0 and not a kill."""
        output, _ = await self.process.communicate()
        code = self.process.returncode
        assert code in (0, -signal.SIGKILL), output.decode()
        return code


Start = Callable[..., Awaitable[Child]]


@asynccontextmanager
async def starting() -> AsyncIterator[Start]:
    """A function that starts `python -m MODULE ARGUMENTS...`; at the end none of them is left."""
    children: list[Child] = []

    async def begin(module: str, *arguments: str) -> Child:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        children.append(Child(process))
        return children[-1]

    try:
        yield begin
    finally:
        for child in children:
            if child.process.returncode is None:
                with suppress(ProcessLookupError):
                    child.process.kill()
                await child.process.communicate()
