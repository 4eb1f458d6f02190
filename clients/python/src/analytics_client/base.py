"""What both clients are told, and what they tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analytics_client.core import Core
from analytics_client.options import read_options
from analytics_client.stats import Stats
from analytics_client.tracking import Tracking


class BaseClient(Tracking):
    """A client without its way of sending."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        app: str | None = None,
        enabled: bool | None = None,
        sandbox: bool | None = None,
        keep_pii: bool = False,
        spool: bool | str | Path | None = None,
        spool_bytes: int = 32_000_000,
        max_queue: int = 10_000,
        batch_size: int = 500,
        flush_interval: float = 1.0,
        timeout: float = 10.0,
        exit_timeout: float = 2.0,
    ) -> None:
        """`url` and `key` default to ANALYTICS_URL and ANALYTICS_KEY. Raises ValueError for what cannot be meant.

        app: name of a program that runs on its users' machines; see Tracking.
        enabled: False switches everything off, as do ANALYTICS_DISABLED and DO_NOT_TRACK (which True does not overrule).
        sandbox: events are logged, not sent (ANALYTICS_SANDBOX).
        keep_pii: send fields such as `email` and `ip`, too.
        spool: folder for events that are not sent yet; False: memory only (ANALYTICS_SPOOL).
        spool_bytes, max_queue: bounds of the folder in bytes and of the memory in events; beyond, the oldest go.
        batch_size: events in a request. flush_interval, timeout, exit_timeout: seconds between two rounds, for one
        request, and at most for sending what is left when the process ends.
        """
        options = read_options(
            url,
            key,
            enabled=enabled,
            sandbox=sandbox,
            keep_pii=keep_pii,
            app=app,
            spool=spool,
            spool_bytes=spool_bytes,
            max_queue=max_queue,
            batch_size=batch_size,
            flush_interval=flush_interval,
            timeout=timeout,
            exit_timeout=exit_timeout,
        )
        super().__init__(options.app)
        self._core = Core(options)
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        """Whatever the way of sending needs."""

    @property
    def enabled(self) -> bool:
        """Whether events are taken."""
        return self._core.enabled

    @property
    def stats(self) -> Stats:
        """What became of events so far."""
        return self._core.counters.read()

    def opt_out(self) -> None:
        """Take no more events, and forget those that are not sent yet, those in the spool included."""
        self._core.disable()

    def _take(self, event: dict[str, Any]) -> bool:
        return self._taken(None if self._is_closed() else self._core.offer(event))

    def _take_request(self, line: bytes) -> None:
        if not self._is_closed():
            self._taken(self._core.collect(line))

    def _is_closed(self) -> bool:
        if self._closed:
            self._core.log("closed", "an event came after close() and is not sent")
        return self._closed

    def _taken(self, waiting: int | None) -> bool:
        """An event was queued, of about so many, and has to be sent; or (None) it was not. Returns whether it was."""
        raise NotImplementedError

    @property
    def _is_silent(self) -> bool:
        """Whether there will never be anything to send."""
        return not self._core.enabled or self._core.options.sandbox or self._closed
