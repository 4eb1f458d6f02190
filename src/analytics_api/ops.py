"""Backup, restore and psql: runs PostgreSQL's own programs against the embedded or the user's database."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import URL, make_url

from analytics_api.errors import AnalyticsError
from analytics_api.store.embedded_cluster import MAJOR_VERSION, binary
from analytics_api.store.engine import APPLICATION_NAME, normalise_url
from analytics_api.store.tables import metadata

LIBPQ_PARAMETERS = {
    "host",
    "port",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "passfile",
    "target_session_attrs",
}
COPY_BYTES = 1 << 20
PROGRESS_SECONDS = 0.5


class OperationFailed(AnalyticsError):
    """A backup, a restore or psql could not be run."""

    title = "Operation failed"


@dataclass(frozen=True)
class Target:
    """How libpq's programs reach a database. The password stays out of the command line, which others can read."""

    url: str
    password: str | None

    @property
    def environment(self) -> dict[str, str]:
        """Environment for psql and pg_dump."""
        password = {"PGPASSWORD": self.password} if self.password else {}
        return {**os.environ, "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "analytics-api-ops", **password}


def libpq_target(url: str) -> Target:
    """A SQLAlchemy or libpq URL in the form libpq's programs take.

    Parameters that only Python drivers know are left out; asyncpg's `ssl` becomes `sslmode`.
    Raises ConfigurationError when `url` is no PostgreSQL URL.
    """
    normalise_url(url)
    parsed = make_url(url)
    query = {name: value for name, value in parsed.query.items() if name in LIBPQ_PARAMETERS}
    if "ssl" in parsed.query:
        query.setdefault("sslmode", parsed.query["ssl"])
    plain = URL.create("postgresql", parsed.username, None, parsed.host, parsed.port, parsed.database, query)
    return Target(plain.render_as_string(), parsed.password)


def backup(url: str, target: Path) -> None:
    """Write the database at `url` to `target` in pg_dump's custom format (compressed, consistent, mode 0600).

    The file appears under its name only when it is complete. Raises OperationFailed with pg_dump's own words.
    """
    database = libpq_target(url)
    program = _program("pg_dump", database)
    partial = target.with_name(f"{target.name}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with _captured_errors() as errors:
            command = [
                program,
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                # A salt must not outlive its day.
                "--exclude-table-data=visitor_salts",
                f"--file={partial}",
            ]
            with subprocess.Popen(
                [*command, "--dbname", database.url],
                env=database.environment,
                stdin=subprocess.DEVNULL,
                stderr=errors,
            ) as process:
                progress = _Progress("Backed up")
                while process.poll() is None:
                    progress.show(partial.stat().st_size)
                    time.sleep(0.05)
            if process.returncode:
                raise OperationFailed(f"The backup failed: {_words(errors)}")
        partial.replace(target)
        progress.end(target.stat().st_size, f" to {target}")
    except OSError as error:
        raise OperationFailed(f"{target} cannot be written: {os.strerror(error.errno or 0)}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def restore(url: str, source: Path) -> None:
    """Put the backup `source` in the place of all that Analytics API stores in the database at `url`.

    One transaction: it happens completely or not at all. Raises OperationFailed with PostgreSQL's own words, also when
    `source` is no backup or when a server or worker is still connected.
    """
    database = libpq_target(url)
    _refuse_while_in_use(database)
    _check_archive(source)
    with _captured_errors() as read_errors, _captured_errors() as write_errors:
        options = ["--file=-", "--clean", "--if-exists", "--no-owner", "--no-privileges"]
        reader = subprocess.Popen(
            [_program("pg_restore", database), *options, str(source)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=read_errors,
        )
        writer = subprocess.Popen(
            [*_psql(database), "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"],
            env={**database.environment, "PGOPTIONS": "-c client_min_messages=warning"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=write_errors,
        )
        with reader, writer:
            _feed(reader, writer)
        if writer.returncode:
            raise OperationFailed(f"The restore failed and nothing was changed: {_words(write_errors)}")
        if reader.returncode:
            raise OperationFailed(f"{source} cannot be read, nothing was changed: {_words(read_errors)}")


def psql(url: str, args: Sequence[str]) -> int:
    """Run psql on the database at `url` with further arguments and return its exit code. Ctrl-C goes to psql."""
    database = libpq_target(url)
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        command = [str(binary("psql")), f"--dbname={database.url}", *args]
        return subprocess.run(command, env=database.environment, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _feed(reader: subprocess.Popen[bytes], writer: subprocess.Popen[bytes]) -> None:
    """Pass the script on inside a transaction that is committed only when the archive was read to its end."""
    assert reader.stdout is not None  # noqa: S101
    assert writer.stdin is not None  # noqa: S101
    progress = _Progress("Restored")
    total = 0
    try:
        writer.stdin.write(_beginning().encode())
        for line in _header(reader.stdout):
            writer.stdin.write(line)
        while chunk := reader.stdout.read(COPY_BYTES):
            writer.stdin.write(chunk)
            total += len(chunk)
            progress.show(total)
        if reader.wait() == 0:
            writer.stdin.write(b"\nCOMMIT;\nANALYZE;\n")
        writer.stdin.close()
    except BrokenPipeError:  # psql stopped at an error; its exit code and words tell
        reader.terminate()
        with contextlib.suppress(BrokenPipeError):
            writer.stdin.close()
        return
    if writer.wait() == 0 and reader.returncode == 0:
        progress.end(total)


def _beginning() -> str:
    """Opens the transaction and drops what a newer version may have added since the backup was made."""
    tables = [f'DROP TABLE IF EXISTS "{table.name}" CASCADE;' for table in metadata.sorted_tables]
    return "\n".join(["BEGIN;", *tables, ""])


def _header(script: IO[bytes]) -> Iterator[bytes]:
    """The session settings at the script's top, without the one that servers before PostgreSQL 17 do not know."""
    for line in script:
        if not line.startswith(b"SET transaction_timeout"):
            yield line
        if line.startswith((b"SET row_security", b"CREATE ", b"ALTER ", b"DROP ")):
            return


def _refuse_while_in_use(database: Target) -> None:
    users = _query(
        database,
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE datname = current_database() AND application_name = '{APPLICATION_NAME}'",
    )
    if users != "0":
        raise OperationFailed(
            "A server, worker or command of Analytics API is using this database: stop it, then restore."
        )


def _check_archive(source: Path) -> None:
    if not source.is_file():
        raise OperationFailed(f"{source} is no file: name a file that 'analytics-api backup' wrote.")
    result = subprocess.run(
        [binary("pg_restore"), "--list", source], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise OperationFailed(
            f"{source} is no backup that 'analytics-api backup' wrote: {result.stderr.strip()}"
        )


def _program(name: str, database: Target) -> str:
    """The program that comes with the application, or for a newer server the one on PATH. Raises OperationFailed."""
    server = int(_query(database, "SHOW server_version_num")) // 10000
    if server <= MAJOR_VERSION:
        return str(binary(name))
    found = shutil.which(name)
    if found is not None:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        number = re.search(r"\d+", version)
        if number is not None and int(number[0]) >= server:
            return found
    raise OperationFailed(
        f"The server runs PostgreSQL {server} and the {name} that comes with Analytics API is version "
        f"{MAJOR_VERSION}: install {name} {server} or newer on PATH."
    )


def _psql(database: Target) -> list[str]:
    return [str(binary("psql")), "--no-psqlrc", f"--dbname={database.url}"]


def _query(database: Target, sql: str) -> str:
    result = subprocess.run(
        [*_psql(database), "--no-align", "--tuples-only", "--no-password", f"--command={sql}"],
        env=database.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise OperationFailed(f"The database cannot be used: {result.stderr.strip()}")
    return result.stdout.strip()


@contextlib.contextmanager
def _captured_errors() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as errors:
        yield errors


def _words(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode("utf-8", "replace").strip() or "it was interrupted"


class _Progress:
    """Bytes done: a line that is rewritten on a terminal, one line at the end elsewhere. On standard error."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._shown = time.monotonic()

    def show(self, done: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._shown > PROGRESS_SECONDS:
            self._shown = now
            sys.stderr.write(f"\r{self._verb} {done / 1e6:,.1f} MB ...")
            sys.stderr.flush()

    def end(self, done: int, suffix: str = "") -> None:
        lead = "\r" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{lead}{self._verb} {done / 1e6:,.1f} MB{suffix}.\n")
