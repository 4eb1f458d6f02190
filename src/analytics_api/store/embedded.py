"""The PostgreSQL that comes with the application: several processes share one server, the last one stops it.

Why the wheel's own server class is not used: docs/decisions/0001-embedded-postgresql.md.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from analytics_api.errors import EmbeddedServerError
from analytics_api.store.embedded_cluster import Cluster, binary, require_success
from analytics_api.store.file_lock import FileLock

__all__ = ["DATABASE", "EmbeddedServer", "binary"]

DATABASE = "analytics"
RECOVERY_SECONDS = 600
"""Replaying max_wal_size (4 GB) after a crash takes minutes on a slow disk; beyond this something is wrong."""
SHUTDOWN_SECONDS = 120
POLL_SECONDS = 0.02
WATCH_SECONDS = 0.5
LONGEST_WATCH_SECONDS = 30.0
"""Between attempts to start a server that does not start, for example because the disk is full."""
LAUNCH_CHECKS = 100
"""Two seconds and the time of the checks; a longer recovery goes on by itself."""

log = logging.getLogger(__name__)


class EmbeddedServer:
    """PostgreSQL 18 on a Unix socket inside a data directory.

    Three lock files in `<data_dir>/locks` say who does what; the kernel frees them when their holder dies:
    `start` is held while somebody starts or stops the server, `users` is shared by all processes that use it,
    and `server` is inherited by PostgreSQL itself, so it is free only when no process of the server is left.
    """

    def __init__(self, data_dir: Path) -> None:
        """Nothing happens yet. `data_dir` (ANALYTICS__DATA_DIR) is made by `start` when it is absent."""
        self._data_dir = data_dir.expanduser().resolve()
        self._cluster = Cluster(self._data_dir)
        locks = self._data_dir / "locks"
        self._start_lock = FileLock(locks / "start")
        self._users_lock = FileLock(locks / "users")
        self._server_lock = FileLock(locks / "server")

    @property
    def socket_dir(self) -> Path:
        """Folder of the server's socket: inside the data directory, or short under the temporary folder."""
        return self._cluster.socket_dir

    @property
    def url(self) -> str:
        """URL of the database, for SQLAlchemy with asyncpg."""
        return URL.create(
            "postgresql+asyncpg", username="postgres", database=DATABASE, query={"host": str(self.socket_dir)}
        ).render_as_string(hide_password=False)

    def start(self) -> str:
        """Start the server or join the one that runs, and return the database's URL. Blocks.

        The database is made when it is absent. Calling it again is harmless.
        Raises EmbeddedServerError with one sentence (and PostgreSQL's own words) when the server cannot be used.
        """
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._start_lock.path.parent.mkdir(exist_ok=True)
            self._take_start_lock()
            try:
                self._users_lock.acquire_shared()
                self._ensure_running()
                self._ensure_database()
            except BaseException:
                self._leave()
                raise
            finally:
                self._start_lock.release()
        except OSError as error:
            where = error.filename or self._data_dir
            raise EmbeddedServerError(
                f"The data directory {self._data_dir} cannot be used: {where}: {os.strerror(error.errno or 0)}. "
                "Mend that, or choose another directory with ANALYTICS__DATA_DIR."
            ) from error
        return self.url

    def stop(self) -> None:
        """Leave the server; when no other process uses it, it is shut down (fast: transactions roll back). Blocks."""
        if not self._users_lock.held:
            return
        self._take_start_lock()
        try:
            self._leave()
        finally:
            self._start_lock.release()

    @contextmanager
    def kept_running(self) -> Iterator[None]:
        """While the block lasts, start the server again when it has ended without our doing: killed, crashed, disk full."""
        ending = threading.Event()
        watch = threading.Thread(target=self._watch, args=[ending], name="embedded-postgres", daemon=True)
        watch.start()
        try:
            yield
        finally:
            ending.set()
            watch.join()

    def _watch(self, ending: threading.Event) -> None:
        # Locks of its own: those of this object belong to the thread that starts and stops.
        mine = EmbeddedServer(self._data_dir)
        wait = WATCH_SECONDS
        while not ending.wait(wait):
            try:
                wait = WATCH_SECONDS if mine.restart_if_dead() else min(wait * 2, LONGEST_WATCH_SECONDS)
            except (EmbeddedServerError, OSError) as error:
                log.error("PostgreSQL cannot be started again yet: %s", error)
                wait = min(wait * 2, LONGEST_WATCH_SECONDS)

    def restart_if_dead(self) -> bool:
        """Start the server if no process of it is left. False when that did not help; then try again later. Blocks."""
        if not self._start_lock.try_exclusive():
            return True
        try:
            if self._server_alive():
                return True
            log.error("PostgreSQL has ended by itself; starting it again.")
            self._launch()
            for _ in range(LAUNCH_CHECKS):
                if self._accepts_connections():
                    log.info("PostgreSQL runs again.")
                    return True
                if not self._server_alive():
                    log.error("PostgreSQL did not start; its last words:\n%s", self._cluster.last_log_lines())
                    return False
                time.sleep(POLL_SECONDS)
            return True
        finally:
            self._start_lock.release()

    def _take_start_lock(self) -> None:
        if not self._start_lock.try_exclusive():
            log.info("Waiting for another process that is starting or stopping PostgreSQL.")
            self._start_lock.acquire_exclusive()

    def _leave(self) -> None:
        last = self._users_lock.try_exclusive()
        try:
            if last and self._server_alive():
                self._shut_down()
        finally:
            self._users_lock.release()

    def _server_alive(self) -> bool:
        """Whether any process of the server is left. Call it only while holding the start lock."""
        free = self._server_lock.try_exclusive()
        self._server_lock.release()
        return not free

    def _ensure_running(self) -> None:
        launched = False
        started = time.monotonic()
        told = started
        while not self._accepts_connections():
            now = time.monotonic()
            if not self._server_alive():
                if launched:
                    raise EmbeddedServerError(
                        f"PostgreSQL did not start in {self._cluster.pgdata}; its last words:\n"
                        f"{self._cluster.last_log_lines()}"
                    )
                self._launch()
                launched = True
            elif now - started > RECOVERY_SECONDS:
                raise EmbeddedServerError(
                    f"PostgreSQL runs in {self._cluster.pgdata} but has not answered on {self._cluster.socket_dir} "
                    f"for {RECOVERY_SECONDS} s; look at {self._cluster.log_file}, stop it and start again."
                )
            elif now - told > 5:
                log.info("PostgreSQL is recovering from a crash or still stopping; waiting.")
                told = now
            time.sleep(POLL_SECONDS)

    def _launch(self) -> None:
        """Start the postmaster in a session of its own, so that Ctrl-C in a terminal does not reach it."""
        self._server_lock.acquire_exclusive()
        try:
            self._cluster.prepare(self._server_lock.fileno())
            with self._cluster.open_log() as output:
                subprocess.run(
                    [binary("pg_ctl"), "start", "-W", "-s", "-D", self._cluster.pgdata],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[self._server_lock.fileno()],
                    check=False,
                    **self._cluster.process_options(),
                )
        finally:
            self._server_lock.release()

    def _shut_down(self) -> None:
        """A child of ours may be gone before its parent has noticed: done is when the server lock is free."""
        told = subprocess.run(
            [binary("pg_ctl"), "stop", "-W", "-s", "-m", "fast", "-D", self._cluster.pgdata],
            capture_output=True,
            text=True,
            check=False,
            **self._cluster.process_options(),
        )
        if told.returncode and self._server_alive():
            log.warning("PostgreSQL could not be told to stop: %s", told.stderr.strip())
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        while self._server_alive():
            if time.monotonic() > deadline:
                log.warning("PostgreSQL in %s is still shutting down; left to itself.", self._cluster.pgdata)
                return
            time.sleep(POLL_SECONDS)

    def _accepts_connections(self) -> bool:
        return self._client("pg_isready", "-q", "-t", "5").returncode == 0

    def _ensure_database(self) -> None:
        if self._query(f"SELECT count(*) FROM pg_database WHERE datname = '{DATABASE}'") == "0":
            self._query(f"CREATE DATABASE {DATABASE}")

    def _query(self, sql: str) -> str:
        result = self._client("psql", "-XAtq", "-d", "postgres", "-c", sql)
        require_success(result, "PostgreSQL runs but cannot be used")
        return result.stdout.strip()

    def _client(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [binary(program), "-h", self._cluster.socket_dir, "-U", "postgres", *arguments],
            capture_output=True,
            text=True,
            check=False,
            **self._cluster.client_options(),
        )
