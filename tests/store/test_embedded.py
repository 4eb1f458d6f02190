"""The embedded PostgreSQL: shared between processes, and started again after every kind of violent end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from analytics_api.errors import EmbeddedServerError
from analytics_api.store.embedded import EmbeddedServer, binary
from analytics_api.store.embedded_account import server_account
from tests.support.databases import in_thread

USER_PROGRAM = """
import sys
from pathlib import Path
from analytics_api.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
print(server.start(), flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A short path that the server's account can be let through to, and no server left behind."""
    folder = Path(tempfile.mkdtemp(prefix="analytics-"))
    yield folder
    pid = postmaster(folder)
    if pid is not None:
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not exists(pid))
    shutil.rmtree(folder)


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(data_dir)
    yield server
    server.stop()


class UserProcess:
    """Another process that uses the server of a data directory until it is told to leave."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER_PROGRAM, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_started(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> int:
        self.process.communicate("\n")
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def postmaster(data_dir: Path) -> int | None:
    try:
        return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError):
        return None


def running(data_dir: Path) -> int:
    pid = postmaster(data_dir)
    assert pid is not None, "there is no server"
    return pid


def exists(pid: int) -> bool:
    """Whether the process runs. One that has ended but whose parent has not noticed (a zombie) does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(") ")[2][0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.02)


def query(url: str, *statements: str) -> object:
    """The first value of the last statement."""

    async def run() -> object:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            with suppress(asyncpg.PostgresError, OSError):
                await connection.close()

    return in_thread(run())


def write(url: str) -> None:
    query(url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42)", "SELECT 1")


def read(url: str) -> object:
    return query(url, "SELECT n FROM kept")


def test_data_survives_a_restart(server: EmbeddedServer, data_dir: Path) -> None:
    write(server.start())
    first = running(data_dir)
    server.stop()
    assert postmaster(data_dir) is None
    assert not exists(first)
    assert read(server.start()) == 42


def test_the_server_is_safe_and_private(server: EmbeddedServer, data_dir: Path) -> None:
    url = server.start()
    shown = {
        name: query(url, f"SHOW {name}") for name in ("fsync", "full_page_writes", "data_checksums", "jit")
    }
    assert shown == {"fsync": "on", "full_page_writes": "on", "data_checksums": "on", "jit": "off"}
    assert query(url, "SHOW listen_addresses") == ""
    assert query(url, "SHOW server_encoding") == "UTF8"
    for folder in ("postgres", "socket"):
        assert (data_dir / folder).stat().st_mode & 0o777 == 0o700


def test_ctrl_c_in_a_terminal_does_not_reach_the_server(server: EmbeddedServer, data_dir: Path) -> None:
    server.start()
    assert os.getsid(running(data_dir)) != os.getsid(0)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_the_server_does_not_inherit_secrets(
    server: EmbeddedServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYTICS__MIXPANEL_TOKEN", "secret-of-the-application")
    server.start()
    assert b"secret-of-the-application" not in Path(f"/proc/{running(data_dir)}/environ").read_bytes()


def test_event_data_does_not_reach_the_log(server: EmbeddedServer, data_dir: Path) -> None:
    url = server.start()
    with pytest.raises(asyncpg.UniqueViolationError):
        query(
            url,
            "CREATE TABLE people (email text PRIMARY KEY)",
            "INSERT INTO people VALUES ('ada@example.com')",
            "INSERT INTO people VALUES ('ada@example.com') RETURNING 1",
        )
    written = (data_dir / "postgres.log").read_text()
    assert "duplicate key" in written
    assert "ada@example.com" not in written


def test_processes_share_one_server_and_the_last_one_stops_it(server: EmbeddedServer, data_dir: Path) -> None:
    url = server.start()
    pid = running(data_dir)
    other = UserProcess(data_dir)
    assert other.wait_until_started() == url
    assert running(data_dir) == pid
    server.stop()
    assert query(url, "SELECT 1") == 1
    assert other.leave() == 0
    assert postmaster(data_dir) is None
    assert not exists(pid)


def test_processes_that_start_at_once_make_one_database(data_dir: Path) -> None:
    users = [UserProcess(data_dir) for _ in range(4)]
    assert len({user.wait_until_started() for user in users}) == 1
    pid = running(data_dir)
    for user in users[:-1]:
        assert user.leave() == 0
    assert running(data_dir) == pid
    assert users[-1].leave() == 0
    assert postmaster(data_dir) is None


def test_start_after_the_owner_was_killed(server: EmbeddedServer, data_dir: Path) -> None:
    owner = UserProcess(data_dir)
    write(owner.wait_until_started())
    owner.kill()
    assert read(server.start()) == 42
    server.stop()
    assert postmaster(data_dir) is None


def test_start_after_the_postmaster_was_killed(server: EmbeddedServer, data_dir: Path) -> None:
    write(server.start())
    os.kill(running(data_dir), signal.SIGKILL)
    assert read(EmbeddedServer(data_dir).start()) == 42


def test_start_waits_for_orphans_of_a_killed_postmaster(server: EmbeddedServer, data_dir: Path) -> None:
    """A backend in the middle of a computation outlives the postmaster; two servers on one directory destroy it."""
    url = server.start()
    write(url)
    socket = str(data_dir / "socket")
    count = "SELECT count(*) FROM generate_series(1, 10000000)"
    busy = subprocess.Popen(
        [binary("psql"), "-XAt", "-h", socket, "-U", "postgres", "-d", "analytics", "-c", count],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    activity = f"SELECT pid FROM pg_stat_activity WHERE query = '{count}' AND state = 'active'"
    wait_until(lambda: query(url, activity) is not None)
    backend = query(url, activity)
    assert isinstance(backend, int)
    os.kill(running(data_dir), signal.SIGKILL)
    assert exists(backend)
    assert read(EmbeddedServer(data_dir).start()) == 42
    assert not exists(backend)
    busy.wait()


def test_start_with_pid_files_whose_pid_belongs_to_another_program(
    server: EmbeddedServer, data_dir: Path
) -> None:
    write(server.start())
    pid_file = data_dir / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    account = server_account(data_dir / "postgres")
    server.stop()
    with subprocess.Popen(["sleep", "600"], **account.process_options()) as stranger:
        try:
            stale = "\n".join([str(stranger.pid), *lines[1:], ""])
            for path in (pid_file, data_dir / "socket" / ".s.PGSQL.5432.lock"):
                path.write_text(stale)
                account.own(path)
                path.chmod(0o600)
            assert read(server.start()) == 42
            assert running(data_dir) != stranger.pid
            server.stop()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_start_after_the_first_start_was_killed_half_way(server: EmbeddedServer, data_dir: Path) -> None:
    half = data_dir / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    assert query(server.start(), "SELECT 1") == 1
    assert not half.exists()


def test_a_long_path_gets_a_short_socket(data_dir: Path) -> None:
    deep = data_dir / ("d" * 100) / "data"
    server = EmbeddedServer(deep)
    try:
        write(server.start())
        server.stop()
        assert read(server.start()) == 42
    finally:
        server.stop()
        shutil.rmtree(server.socket_dir)


def test_a_path_with_odd_characters_works(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir / "it's, my data ü")
    try:
        assert query(server.start(), "SELECT 1") == 1
    finally:
        server.stop()
        shutil.rmtree(server.socket_dir)


def test_stop_without_start_and_twice_is_harmless(server: EmbeddedServer) -> None:
    server.stop()
    server.start()
    server.start()
    server.stop()
    server.stop()


def test_a_server_that_cannot_be_told_to_stop_says_why(
    server: EmbeddedServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.start()
    pid, pid_file = running(data_dir), data_dir / "postgres" / "postmaster.pid"
    hidden = pid_file.rename(pid_file.with_name("hidden"))
    with monkeypatch.context() as patched:
        patched.setattr("analytics_api.store.embedded.SHUTDOWN_SECONDS", 0.1)
        server.stop()
    assert "could not be told to stop" in caplog.text
    assert "postmaster.pid" in caplog.text, "in the words of pg_ctl"
    assert exists(pid)
    hidden.rename(pid_file)
    server.start()
    server.stop()
    assert not exists(pid)


def test_data_of_another_major_version_is_refused(server: EmbeddedServer, data_dir: Path) -> None:
    server.start()
    server.stop()
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        EmbeddedServerError, match=r"PostgreSQL 16 .* PostgreSQL 18: run 'analytics-api backup FILE'"
    ):
        server.start()


def test_a_folder_with_other_files_is_refused(server: EmbeddedServer, data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "letter.txt").write_text("Dear Ada")
    with pytest.raises(EmbeddedServerError, match="is not empty and holds no PostgreSQL data"):
        server.start()
    assert (data_dir / "postgres" / "letter.txt").read_text() == "Dear Ada"


def test_a_data_directory_that_cannot_be_made_is_one_sentence(data_dir: Path) -> None:
    (data_dir / "file").write_text("")
    with pytest.raises(
        EmbeddedServerError, match=r"cannot be used: .*Not a directory\. .* ANALYTICS__DATA_DIR"
    ):
        EmbeddedServer(data_dir / "file" / "data").start()


def test_a_server_that_does_not_start_is_quoted(server: EmbeddedServer, data_dir: Path) -> None:
    server.start()
    server.stop()
    with (data_dir / "postgres" / "postgresql.auto.conf").open("a") as settings:
        settings.write("work_mem = 'plenty'\n")
    with pytest.raises(EmbeddedServerError, match=r"(?s)did not start in .*work_mem.*plenty"):
        server.start()
    other = UserProcess(data_dir)
    assert other.wait_until_started() == ""
    assert other.leave() == 1
