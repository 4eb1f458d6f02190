"""The client for asyncio programs: a task of their own loop sends, no thread."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import TracebackType

import httpx

from analytics_client.base import BaseClient
from analytics_client.core import Answer, Request


class AsyncAnalyticsClient(BaseClient):
    """Sends events to an Analytics API server from a task that starts with the first event. Made once, closed with `close`.

    `track` and its companions are plain calls that wait for nothing; only `flush` and `close` are awaited. Events are on
    disk before a call returns, unless `spool=False`; what a program leaves there without `close` its next run sends.
    """

    def _begin(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._http: httpx.AsyncClient | None = None

    async def flush(self, timeout: float = 10.0) -> bool:
        """Send everything now, and wait at most so many seconds. False when something is left, which is sent later."""
        if self._is_silent:
            return True
        self._start()
        try:
            await asyncio.wait_for(self._send_all(), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    async def close(self, timeout: float | None = None) -> bool:
        """Send what is left, at most so many seconds (`exit_timeout`), and stop. False when something is left."""
        sent = await self.flush(self._core.options.exit_timeout if timeout is None else timeout)
        self._closed = True
        task, self._task = self._task, None
        if task is not None and self._loop is asyncio.get_running_loop():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            if self._http is not None:
                await self._http.aclose()
        return sent

    async def __aenter__(self) -> AsyncAnalyticsClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _taken(self, waiting: int | None) -> bool:
        if waiting is None:
            return False
        if not self._core.options.sandbox:
            try:
                self._start()
            except RuntimeError:  # No loop runs here: the next call with one begins to send.
                return True
            if waiting >= self._core.options.batch_size:
                self._wake.set()
        return True

    def _start(self) -> None:
        """Begin to send in the running loop, also when it is not that of the call before. Raises RuntimeError without one."""
        loop = asyncio.get_running_loop()
        if self._loop is loop and self._task is not None and not self._task.done():
            return
        self._loop = loop
        self._wake = asyncio.Event()
        self._sending = asyncio.Lock()
        self._http = None
        self._task = loop.create_task(self._run(), name="analytics-client")

    async def _run(self) -> None:
        next_round = 0.0
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._core.options.flush_interval)
            self._wake.clear()
            if time.monotonic() >= next_round:
                next_round = time.monotonic() + (await self._round() or 0.0)

    async def _send_all(self) -> None:
        while (wait := await self._round()) is not None:  # noqa: ASYNC110 (there is nothing to be told by)
            await asyncio.sleep(wait)

    async def _round(self) -> float | None:
        """Send what waits. None: everything is sent; else seconds until the next attempt."""
        async with self._sending:
            deliveries = self._core.deliver()
            try:
                request = next(deliveries)
                while True:
                    request = deliveries.send(await self._post(request))
            except StopIteration as end:
                wait: float | None = end.value
                return wait
            except Exception as error:
                self._core.log("failed", "events could not be sent: %s: %s", type(error).__name__, error)
                return 5.0
            finally:
                deliveries.close()  # Cancelled in between: what was under way is given back.

    async def _post(self, request: Request) -> Answer:
        if self._http is None:
            self._http = httpx.AsyncClient()
        try:
            response = await self._http.post(
                request.url,
                content=request.body,
                headers=request.headers,
                timeout=self._core.options.timeout,
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Answer(0, {}, f"{type(error).__name__}: {error}")
        return Answer(response.status_code, response.headers, response.text)
