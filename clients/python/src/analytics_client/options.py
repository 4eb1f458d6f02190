"""What a client can be told, from arguments and the environment."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analytics_client.machine import state_folder

PREFIX = "/api/v1/analytics"
_NO = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True)
class Options:
    """Settings of a client; `read_options` makes them."""

    url: str | None
    """Where events are posted; None: nowhere, because no address is known."""
    key: str | None
    enabled: bool
    sandbox: bool
    keep_pii: bool
    app: str | None
    spool: Path | None
    spool_bytes: int
    max_queue: int
    batch_size: int
    flush_interval: float
    timeout: float
    exit_timeout: float


def read_options(
    url: str | None,
    key: str | None,
    *,
    enabled: bool | None,
    sandbox: bool | None,
    keep_pii: bool,
    app: str | None,
    spool: bool | str | Path | None,
    spool_bytes: int,
    max_queue: int,
    batch_size: int,
    flush_interval: float,
    timeout: float,
    exit_timeout: float,
    environment: Mapping[str, str] | None = None,
) -> Options:
    """Settings from arguments, else from the environment. Raises ValueError for an argument that cannot be meant."""
    env = os.environ if environment is None else environment
    for name, value, least in (
        ("spool_bytes", spool_bytes, 1),
        ("max_queue", max_queue, 1),
        ("batch_size", batch_size, 1),
        ("flush_interval", flush_interval, 0.01),
        ("timeout", timeout, 0.1),
        ("exit_timeout", exit_timeout, 0),
    ):
        if not value >= least:
            raise ValueError(f"{name} is {value!r}: give {least} or more")
    if batch_size > 5_000:
        raise ValueError(f"batch_size is {batch_size}: the server takes at most 5000 events in a request")
    address = _address(url or env.get("ANALYTICS_URL") or None)
    key = key or env.get("ANALYTICS_KEY") or None
    return Options(
        url=address,
        key=key,
        enabled=_is_enabled(enabled, env),
        sandbox=_said(env.get("ANALYTICS_SANDBOX")) if sandbox is None else sandbox,
        keep_pii=keep_pii,
        app=app,
        spool=_spool(env.get("ANALYTICS_SPOOL") if spool is None else spool, address, key),
        spool_bytes=spool_bytes,
        max_queue=max_queue,
        batch_size=batch_size,
        flush_interval=flush_interval,
        timeout=timeout,
        exit_timeout=exit_timeout,
    )


def _said(text: str | None) -> bool:
    return text is not None and text.strip().lower() not in _NO


def _is_enabled(enabled: bool | None, env: Mapping[str, str]) -> bool:
    """A person's wish (DO_NOT_TRACK, consoledonottrack.com) is above the program's."""
    if _said(env.get("DO_NOT_TRACK")):
        return False
    return not _said(env.get("ANALYTICS_DISABLED")) if enabled is None else enabled


def _address(url: str | None) -> str | None:
    if url is None:
        return None
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url is {url!r}: give an address such as https://analytics.example.org")
    base = url.rstrip("/")
    return f"{base if base.endswith(PREFIX) else base + PREFIX}/events"


def _spool(spool: bool | str | Path | None, url: str | None, key: str | None) -> Path | None:
    """A folder of its own for each server and key: what was meant for one must never reach another."""
    if isinstance(spool, str) and spool.strip().lower() in _NO:
        spool = False
    if spool is False:
        return None
    try:
        root = state_folder() / "analytics-client" if spool is None or spool is True else Path(spool)
    except RuntimeError:  # No home folder.
        return None
    return root / hashlib.sha256(f"{url}\n{key}".encode()).hexdigest()[:16]
