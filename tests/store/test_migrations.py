"""The migrations make exactly the tables that the code knows, and can be run at once by several processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from analytics_api.store.migrate import MIGRATIONS, newest_revision, upgrade
from analytics_api.store.tables import metadata
from tests.support.events import NOW, make_event, make_project, open_database, write_events
from tests.support.figures import record
from tests.support.histories import make_history, record_history
from tests.support.processes import clean_environment
from tests.support.rollups import compare
from tests.support.who import who_is_who

ROOT = Path(__file__).parents[2]


async def differences(url: str) -> list[object]:
    """What Alembic would still change, partitions of partitioned tables aside.

    Alembic compares defaults by evaluating them, and two numbers of a sequence are never equal: `seq` is left out.
    """

    def compare(connection: Connection) -> list[object]:
        partitions = set(connection.scalars(text("SELECT relname FROM pg_class WHERE relispartition")))

        def include(_item: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
            return not (kind == "table" and name in partitions)

        context = MigrationContext.configure(
            connection,
            opts={"include_object": include, "compare_type": True, "compare_server_default": True},
        )
        found = compare_metadata(context, metadata)
        return [change for change in found if change[0][:4] != ("modify_default", None, "events", "seq")]

    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


async def scalar(url: str, sql: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.scalar(text(sql))
    finally:
        await engine.dispose()


async def test_tables_are_what_the_migrations_make(database_url: str) -> None:
    assert await differences(database_url) == []


async def test_positions_come_from_the_sequence(database_url: str) -> None:
    default = (
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum "
        "WHERE adrelid = 'events'::regclass AND attname = 'seq'"
    )
    assert await scalar(database_url, default) == "nextval('event_seq'::regclass)"


async def test_the_sequence_gives_numbers_in_order_of_request(database_url: str) -> None:
    """CACHE 1: a session that keeps numbers for later would hand out old ones after newer ones were read."""
    assert (
        await scalar(database_url, "SELECT cache_size FROM pg_sequences WHERE sequencename = 'event_seq'")
        == 1
    )


def test_several_processes_migrate_at_once(empty_database_url: str) -> None:
    program = f"from analytics_api.store.migrate import upgrade; upgrade({empty_database_url!r})"
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert asyncio.run(differences(empty_database_url)) == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = asyncio.run(scalar(database_url, "SELECT version_num FROM alembic_version"))
    upgrade(database_url)
    assert asyncio.run(scalar(database_url, "SELECT version_num FROM alembic_version")) == before


async def test_first_times_are_filled_from_what_has_been_counted(database_url: str) -> None:
    """Merges, bots and nobodies among it, and events that are not counted yet."""
    async with open_database(database_url) as database:
        project = await make_project(database)
        events = make_history(project, 1, around=NOW)
        await record_history(database, project, events)
        await compare(database, project, events, who_is_who(project, events))
        await write_events(
            database, [make_event(project, "later", user_id=f"u{number}") for number in range(3)]
        )
        await database.pool.execute("DROP TABLE person_firsts")
        await database.pool.execute("UPDATE alembic_version SET version_num = '0036_refunds'")
        await asyncio.to_thread(upgrade, database_url)
        await compare(database, project, events, who_is_who(project, events))


async def test_bots_are_taken_out_of_first_signups(database_url: str) -> None:
    """What was counted before they were left out, and signups whose events had been removed before first times were kept."""
    async with open_database(database_url) as database:
        project = await make_project(database, time_zone="Asia/Kathmandu")
        events = [
            make_event(
                project,
                "signup_completed",
                user_id=person,
                is_bot=is_bot,
                occurred_at=NOW + timedelta(hours=hours),
            )
            for person, hours, is_bot in [
                ("ada", 1, True),
                ("ada", 31, False),
                ("bot", 2, True),
                ("bob", 3, False),
                ("bob", 4, True),
                ("old", 5, True),
            ]
        ]
        await record(database, events)
        await compare(database, project, events)
        execute = database.pool.execute
        # As it was: the first signup of anybody. Of "old" one before is known that nothing else knows of.
        await execute(
            """UPDATE persons p SET first_signup_at = f.first_at_with_bots,
               first_signup_day = (f.first_at_with_bots AT TIME ZONE 'Asia/Kathmandu')::date
               FROM person_firsts f WHERE f.person_id = p.person_id AND event_type = 'signup_completed'"""
        )
        await execute(
            """UPDATE persons SET first_signup_at = '2025-01-01T00:00:00Z', first_signup_day = '2025-01-01'
               WHERE user_id = 'old'"""
        )
        await execute("UPDATE alembic_version SET version_num = '0037_person_firsts'")
        await asyncio.to_thread(upgrade, database_url)
        rows = await database.pool.fetch(
            """SELECT user_id, first_signup_at, first_signup_day, f.first_at_with_bots
               FROM persons JOIN person_firsts f USING (person_id) ORDER BY user_id"""
        )
        long_ago = datetime(2025, 1, 1, tzinfo=UTC)
        assert [tuple(row) for row in rows] == [
            ("ada", NOW + timedelta(hours=31), date(2026, 3, 12), NOW + timedelta(hours=1)),
            ("bob", NOW + timedelta(hours=3), date(2026, 3, 10), NOW + timedelta(hours=3)),
            ("bot", None, None, NOW + timedelta(hours=2)),
            ("old", long_ago, date(2025, 1, 1), long_ago),
        ]


def test_the_newest_schema_is_known_without_alembic(database_url: str) -> None:
    assert [newest_revision()] == ScriptDirectory(str(MIGRATIONS)).get_heads()
    program = (
        "import sys; from analytics_api.store.migrate import upgrade; "
        f"upgrade({database_url!r}); assert 'alembic' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_alembic_by_hand(empty_database_url: str) -> None:
    plain = make_url(empty_database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    result = subprocess.run(
        [Path(sys.executable).with_name("alembic"), "upgrade", "head"],
        cwd=ROOT,
        env=clean_environment({"ANALYTICS__DATABASE_URL": plain, "PATH": os.environ["PATH"]}),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert asyncio.run(differences(empty_database_url)) == []
