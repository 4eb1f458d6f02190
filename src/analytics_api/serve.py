"""Starts the web process: finds the database, takes the port, runs uvicorn, and ends everything cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from analytics_api import telemetry
from analytics_api.access.first_owner import FIRST_OWNER, make_first_owner
from analytics_api.app import create_app
from analytics_api.database import database_url
from analytics_api.domain.clock import system_clock
from analytics_api.errors import ConfigurationError
from analytics_api.http_connections import Connections
from analytics_api.http_protocol import HttpProtocol
from analytics_api.settings import Settings
from analytics_api.store.engine import Database
from analytics_api.store.migrate import upgrade
from analytics_api.work import collect_rarely

BACKLOG = 2048
DRAIN_SECONDS = 15
TICKS_PER_SECOND = 10
"""Of uvicorn's main loop."""
MOST_OPEN_FILES = 65_536
RESERVED_FILES = 200
"""For the database, deliveries and files: connections of clients beyond are closed at once."""
FIRST_FD = 3
"""Where systemd puts the sockets that it keeps open (sd_listen_fds(3))."""


def run_server(settings: Settings, *, with_worker: bool, migrate: bool = True, banner: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; then answer what was begun, write what was queued, and return."""
    telemetry.configure_logging(settings.log_level)
    listener = _listen(settings.host, settings.port)
    port = listener.getsockname()[1]
    with _quiet_signals(), database_url(settings) as url:
        if migrate:
            upgrade(url)
        asyncio.run(_make_owner(settings, url))
        app = create_app(settings, url, with_worker=with_worker)
        shared = Connections(
            arriving_bytes=settings.intake_queue_bytes,
            most=max(_allow_files() - RESERVED_FILES, RESERVED_FILES),
            immediate=app,
        )
        config = uvicorn.Config(
            app,
            http=partial(HttpProtocol, shared=shared),  # type: ignore[arg-type]
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            # The peer's address decides whether a caller is local; a proxy's header must not.
            proxy_headers=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_keep_alive=settings.client_timeout_seconds,  # type: ignore[arg-type]
        )
        server = _Server(config, _banner(settings, port) if banner else None, app.leave)
        try:
            server.run(sockets=[listener])
        except SystemExit:
            if app.refused is not None:
                raise app.refused from None
            raise
        if not server.started:
            raise SystemExit(3)


async def _make_owner(settings: Settings, url: str) -> None:
    """On the first start, make somebody who can log in."""
    database = Database(url, pool_size=1)
    await database.open()
    try:
        given = settings.admin_password
        generated = await make_first_owner(
            database, given.get_secret_value() if given is not None else None, system_clock()
        )
    finally:
        await database.close()
    if generated is not None:
        print(  # noqa: T201
            f"Log in as {FIRST_OWNER} with the password {generated}  (shown only now; another one: "
            f"analytics-api users reset-password {FIRST_OWNER})",
            flush=True,
        )


class _Server(uvicorn.Server):
    """A server that says where it is once it can be reached, and looks after its connections."""

    def __init__(self, config: uvicorn.Config, banner: str | None, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._leave = leave
        self._banner = banner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        telemetry.open_connections.set_function(lambda: len(self.server_state.connections))
        telemetry.running_tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
        collect_rarely()
        if self.started and self._banner is not None:
            print(self._banner, flush=True)  # noqa: T201

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let streams end, then wait for what is being answered."""
        self._leave()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Once a second look at all connections: a timer for each request would cost 5 µs of its 50."""
        if counter % TICKS_PER_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                cast(HttpProtocol, connection).check(now)
        return await super().on_tick(counter)


def _allow_files() -> int:
    """How many files this process may open: as many as the system lets it. A shell's or systemd's usual 1,024 are few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MOST_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket: the one that was handed to this process (systemd's protocol), else a new one.

    Raises ConfigurationError when the address cannot be had.
    """
    if os.environ.get("LISTEN_FDS") == "1" and os.environ.get("LISTEN_PID", str(os.getpid())) == str(
        os.getpid()
    ):
        return socket.socket(fileno=FIRST_FD)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"Port {port} on {host} is taken by another program; stop it or set ANALYTICS__PORT."
            ) from None
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from None
    return listener


@contextlib.contextmanager
def _quiet_signals() -> Iterator[None]:
    """uvicorn raises the signals it has caught once more at its end; by then they have done their work."""

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return None

    before = {number: signal.signal(number, ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _banner(settings: Settings, port: int) -> str:
    base = f"http://{'127.0.0.1' if settings.loopback else settings.host}:{port}"
    api = f"{base}/api/v1/analytics"
    mode = (
        "sandbox mode: nothing leaves this machine" if settings.sandbox_mode else "events go to the providers"
    )
    return f"""
  Analytics API runs on {base}   ({mode})

  Send an event    curl -X POST {api}/events -H 'Content-Type: application/json' \\
                        -d '{{"event_type": "feature_used", "user_id": "ada", "event_data": {{"feature_name": "search"}}}}'
  Process it now   curl {api}/process-events
  See the numbers  curl {api}/metrics/dashboard
  Explore the API  {base}/docs

  Ctrl-C stops it; your data stays in {settings.data_dir if settings.database_url is None else "your database"}.
"""
