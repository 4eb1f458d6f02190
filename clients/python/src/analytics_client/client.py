"""The client for scripts, command lines and threaded servers: one background thread sends."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from dataclasses import dataclass, field
from types import TracebackType

import httpx

from analytics_client.base import BaseClient
from analytics_client.core import Answer, Request


@dataclass
class _Order:
    """Somebody waits until everything is sent."""

    deadline: float
    done: threading.Event = field(default_factory=threading.Event)
    sent: bool = False


class AnalyticsClient(BaseClient):
    """Sends events to an Analytics API server from a thread that starts with the first event. Made once, used by all threads.

    No call raises, or waits for the network; `flush` and `close` wait as long as they are told. Events are on disk before a
    call returns, unless `spool=False`, so that neither a kill nor being offline loses one.
    """

    def _begin(self) -> None:
        self._reset()
        _clients.add(self)

    def flush(self, timeout: float = 10.0) -> bool:
        """Send everything now, and wait at most so many seconds. False when something is left, which is sent later."""
        if self._is_silent:
            return True
        order = _Order(time.monotonic() + timeout)
        with self._wake:
            self._orders.append(order)
            self._wake.notify()
        if not self._start():
            return False
        order.done.wait(timeout)
        return order.sent

    def close(self, timeout: float | None = None) -> bool:
        """Send what is left, at most so many seconds (`exit_timeout`), and stop. False when something is left."""
        sent = self.flush(self._core.options.exit_timeout if timeout is None else timeout)
        with self._wake:
            self._closed = True
            self._wake.notify()
        return sent

    def __enter__(self) -> AnalyticsClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _reset(self) -> None:
        """As new: at the beginning, and in a child process, where the thread is not."""
        self._wake = threading.Condition()
        self._orders: list[_Order] = []
        self._thread: threading.Thread | None = None
        self._http: httpx.Client | None = None

    def _taken(self, waiting: int | None) -> bool:
        if waiting is None:
            return False
        if self._thread is None and not self._core.options.sandbox:
            self._start()
        if waiting >= self._core.options.batch_size and not self._orders:
            with self._wake:
                self._wake.notify()
        return True

    def _start(self) -> bool:
        """Whether the thread is there. At the very end of a process none can be started any more."""
        with self._wake:
            if self._thread is None and not self._closed:
                thread = threading.Thread(target=self._run, name="analytics-client", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
            return self._thread is not None

    def _run(self) -> None:
        next_round = 0.0
        interval = self._core.options.flush_interval
        while True:
            with self._wake:
                if not self._orders and not self._closed:
                    self._wake.wait(interval)
                orders, self._orders = self._orders, []
                if self._closed and not orders:
                    break
            if orders:
                next_round = self._obey(orders)
            elif time.monotonic() >= next_round:
                next_round = time.monotonic() + (self._round(self._core.options.timeout) or 0.0)
        if self._http is not None:
            self._http.close()

    def _obey(self, orders: list[_Order]) -> float:
        """Send at once, and again until everything is sent or the last who waits waits no more."""
        deadline = max(order.deadline for order in orders)
        while True:
            left = deadline - time.monotonic()
            wait = self._round(min(max(left, 0.1), self._core.options.timeout))
            now = time.monotonic()
            if wait is None or now + wait >= deadline or self._closed:
                break
            time.sleep(wait)
        for order in orders:
            order.sent = wait is None
            order.done.set()
        return now + (wait or 0.0)

    def _round(self, timeout: float) -> float | None:
        """Send what waits. None: everything is sent; else seconds until the next attempt."""
        try:
            deliveries = self._core.deliver()
            request = next(deliveries)
            while True:
                request = deliveries.send(self._post(request, timeout))
        except StopIteration as end:
            wait: float | None = end.value
            return wait
        except Exception as error:
            self._core.log("failed", "events could not be sent: %s: %s", type(error).__name__, error)
            return 5.0

    def _post(self, request: Request, timeout: float) -> Answer:
        if self._http is None:
            self._http = httpx.Client()
        try:
            response = self._http.post(
                request.url, content=request.body, headers=request.headers, timeout=timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Answer(0, {}, f"{type(error).__name__}: {error}")
        return Answer(response.status_code, response.headers, response.text)


_clients: weakref.WeakSet[AnalyticsClient] = weakref.WeakSet()


def _renew() -> None:
    for client in list(_clients):
        client._reset()


def _close_all() -> None:
    for client in list(_clients):
        if client._thread is not None:
            client.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
atexit.register(_close_all)
