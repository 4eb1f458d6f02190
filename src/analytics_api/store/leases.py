"""Who holds a lease, and work that goes on only while it is held."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Coroutine
from typing import Any, Never, TypeVar

Result = TypeVar("Result")


def owner_name() -> str:
    """A name for this process that no other has, on any machine."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


async def run_while_held(work: Coroutine[Any, Any, Result], keep: Coroutine[Any, Any, Never]) -> Result:
    """What `work` returns. `keep` renews the lease for ever; when it raises (LeaseLost), the work is cancelled at once.

    Both are over when this returns, also when the caller is cancelled.
    """
    working, keeping = asyncio.ensure_future(work), asyncio.ensure_future(keep)
    try:
        await asyncio.wait((working, keeping), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            keeping.result()
        return working.result()
    finally:
        for task in (working, keeping):
            task.cancel()
        await asyncio.gather(working, keeping, return_exceptions=True)
