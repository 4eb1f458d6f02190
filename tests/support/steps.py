"""The steps of a delivering process: before and after each statement to the database and each request to a provider.

Whoever calls `watching` is asked at each step of what is done in its context, and may let it wait, be cancelled or die there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import asyncpg
import httpx
import pytest

AtStep = Callable[[], Awaitable[None]]

_at_step: ContextVar[AtStep | None] = ContextVar("at_step", default=None)
_STATEMENTS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")
"""BEGIN and COMMIT are executed, too."""


async def _step() -> None:
    asked = _at_step.get()
    if asked is not None:
        await asked()


def _with_steps(inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(inner)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        await _step()
        result = await inner(*args, **kwargs)
        await _step()
        return result

    return wrapped


@contextmanager
def steps_made() -> Iterator[None]:
    """Make the steps of this process known to `watching`."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _STATEMENTS:
            patch.setattr(asyncpg.Connection, name, _with_steps(getattr(asyncpg.Connection, name)))
        patch.setattr(httpx.AsyncClient, "send", _with_steps(httpx.AsyncClient.send))
        yield


def watching(at_step: AtStep) -> None:
    """Call `at_step` at each step from now on, in this task and those that it starts."""
    _at_step.set(at_step)


class Countdown:
    """Lets `steps` steps pass and calls `then` at the next one, once."""

    def __init__(self, steps: int, then: AtStep) -> None:
        self._left = steps
        self._then = then

    async def __call__(self) -> None:
        self._left -= 1
        if self._left == -1:
            await self._then()
