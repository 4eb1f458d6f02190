"""Backup, restore and psql against real databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from analytics_api import ops
from analytics_api.errors import ConfigurationError
from analytics_api.store.engine import Database
from analytics_api.store.migrate import upgrade
from tests.support.databases import embedded_server, execute, in_thread, text

ROWS = (
    "INSERT INTO projects (slug, name, namespace, time_zone, currency, created_at) "
    "SELECT 'p' || n, E'quote '' back\\\\slash \\t tab, ü', gen_random_uuid(), 'UTC', 'EUR', now() "
    "FROM generate_series(1, 500) n",
    "CREATE TABLE events_1997_01 PARTITION OF events FOR VALUES FROM ('1997-01-01Z') TO ('1997-02-01Z')",
    "INSERT INTO events (project_id, event_id, person_id, has_person, is_bot, trusted, event_type, event_data, context, "
    "occurred_at, received_at) SELECT 1, gen_random_uuid(), gen_random_uuid(), true, false, true, 'purchase', "
    """'{"amount": 9.99, "text": "\\\\. COPY"}', '{}', '1997-01-05Z', now() FROM generate_series(1, 2000)""",
)
CONTENT = (
    "SELECT (SELECT md5(string_agg(p::text, '|' ORDER BY id)) FROM projects p) "
    "|| (SELECT md5(string_agg(e::text, '|' ORDER BY seq)) FROM events e) "
    "|| (SELECT last_value FROM event_seq) || (SELECT version_num FROM alembic_version)"
)


def fetch(url: str, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(False))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return in_thread(run())


@pytest.fixture
def filled_url(database_url: str) -> str:
    execute(make_url(database_url), *ROWS)
    return database_url


@pytest.fixture
def embedded_url() -> Iterator[str]:
    with embedded_server(Path(tempfile.mkdtemp(prefix="analytics-test-"))) as url:
        upgrade(text(url))
        execute(url, *ROWS)
        yield text(url)


def test_restore_brings_back_what_was_backed_up(filled_url: str, tmp_path: Path) -> None:
    before = fetch(filled_url, CONTENT)
    file = tmp_path / "backup.dump"
    ops.backup(filled_url, file)
    execute(
        make_url(filled_url), "DELETE FROM projects", "DROP TABLE events CASCADE", "DROP TABLE event_keys"
    )
    ops.restore(filled_url, file)
    assert fetch(filled_url, CONTENT) == before
    assert fetch(filled_url, "SELECT nextval('event_seq') > max(seq) FROM events") is True


def test_a_backup_is_private_and_complete_or_absent(filled_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.dump"
    ops.backup(filled_url, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["backup.dump"]
    with pytest.raises(ops.OperationFailed, match=r"does not exist"):
        ops.backup(
            make_url(filled_url).set(database="absent").render_as_string(False), tmp_path / "other.dump"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["backup.dump"]


def test_a_backup_of_the_embedded_server_restores_into_any_other(
    embedded_url: str, database_url: str, tmp_path: Path
) -> None:
    """From PostgreSQL 18 to the server under test, which may be a 15."""
    file = tmp_path / "backup.dump"
    ops.backup(embedded_url, file)
    ops.restore(database_url, file)
    assert fetch(database_url, CONTENT) == fetch(embedded_url, CONTENT)
    upgrade(database_url)


def test_restore_into_an_empty_database(filled_url: str, empty_database_url: str, tmp_path: Path) -> None:
    ops.backup(filled_url, tmp_path / "backup.dump")
    ops.restore(empty_database_url, tmp_path / "backup.dump")
    assert fetch(empty_database_url, CONTENT) == fetch(filled_url, CONTENT)


def test_a_backup_that_is_cut_off_changes_nothing(filled_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.dump"
    ops.backup(filled_url, file)
    file.write_bytes(file.read_bytes()[:-2000])
    before = fetch(filled_url, CONTENT)
    with pytest.raises(ops.OperationFailed, match="nothing was changed"):
        ops.restore(filled_url, file)
    assert fetch(filled_url, CONTENT) == before


def test_a_restore_that_fails_in_the_middle_changes_nothing(filled_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.dump"
    ops.backup(filled_url, file)
    execute(make_url(filled_url), "CREATE VIEW strange AS SELECT version_num FROM alembic_version")
    before = fetch(filled_url, CONTENT)
    with pytest.raises(ops.OperationFailed, match=r"(?s)nothing was changed.*strange"):
        ops.restore(filled_url, file)
    assert fetch(filled_url, CONTENT) == before


def test_restore_refuses_a_file_that_is_no_backup(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada")
    with pytest.raises(ops.OperationFailed, match=r"letter\.txt is no backup"):
        ops.restore(database_url, tmp_path / "letter.txt")
    with pytest.raises(ops.OperationFailed, match=r"absent\.dump is no file"):
        ops.restore(database_url, tmp_path / "absent.dump")


async def test_restore_refuses_while_a_server_is_connected(filled_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.dump"
    ops.backup(filled_url, file)
    database = Database(filled_url)
    await database.open()
    try:
        with pytest.raises(ops.OperationFailed, match="is using this database: stop it"):
            ops.restore(filled_url, file)
    finally:
        await database.close()


def test_psql_passes_arguments_and_exit_codes_on(
    database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ops.psql(database_url, ["-XAtc", "SELECT 6 * 7"]) == 0
    assert capfd.readouterr().out == "42\n"
    assert ops.psql(database_url, ["-X", "-v", "ON_ERROR_STOP=1", "-c", "SELECT absent"]) == 1
    assert "absent" in capfd.readouterr().err


def test_ctrl_c_cancels_the_query_and_not_the_command(database_url: str) -> None:
    program = f"import sys; from analytics_api import ops; sys.exit(ops.psql({database_url!r}, sys.argv[1:]))"
    script = "SELECT 'ready';\nSELECT pg_sleep(600);\nSELECT 'still here';\n"
    with subprocess.Popen(
        [sys.executable, "-c", program, "-XAt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(script)
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate()
        assert process.returncode != -signal.SIGINT
        assert "Traceback" not in output


def test_the_password_is_not_on_the_command_line() -> None:
    target = ops.libpq_target(
        "postgresql+asyncpg://ada:s%40cret@db.example:5433/stats?ssl=require&prepared_statement_cache_size=0"
    )
    assert target.url == "postgresql://ada@db.example:5433/stats?sslmode=require"
    assert target.environment["PGPASSWORD"] == "s@cret"


def test_a_url_of_another_database_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="only PostgreSQL"):
        ops.libpq_target("mysql://root@localhost/stats")
