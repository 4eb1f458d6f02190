"""Imports into a real database, and by the real command: killed half-way, repeated, with bad rows, from each format."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from analytics_api.aggregate.reader import LEASE, READER, RollupReader
from analytics_api.domain.clock import system_clock
from analytics_api.domain.identity import event_id_of
from analytics_api.domain.project import Project
from analytics_api.errors import Unavailable
from analytics_api.importing import count_imported
from analytics_api.ingest import importer as importer_module
from analytics_api.ingest import lane
from analytics_api.ingest.formats import FieldMap
from analytics_api.ingest.importer import Importer, ImportReport
from analytics_api.ingest.writer import Writer
from analytics_api.store import readers
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from tests.support.events import make_event, make_project, open_database, write_events
from tests.support.processes import clean_environment

HEADER = "event_id,user_id,event,ts,revenue,currency,props"
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


async def run_import(
    database: Database,
    project: Project,
    path: Path,
    format_name: str = "csv",
    mapping: FieldMap | None = None,
    *,
    again: bool = False,
) -> ImportReport:
    writer = Writer(database, Partitions(), queue_bytes=10_000_000)
    writer.start()
    try:
        importer = Importer(database, writer, project, keep_pii=False)
        return await importer.run(
            path, format_name, mapping or FieldMap(), lambda done, total, report: None, again=again
        )
    finally:
        await writer.close()


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    """Lines, accepted, duplicates, rejected."""
    return report.lines, report.accepted, report.duplicates, report.rejected


async def event_ids(database: Database) -> list[UUID]:
    rows = await database.pool.fetch("SELECT event_id FROM events ORDER BY seq")
    return [row["event_id"] for row in rows]


def write_rows(path: Path, rows: int, *, with_ids: bool = True) -> list[str]:
    """A CSV file of events of 50 people; returns the ids in it."""
    ids = [str(uuid4()) if with_ids else "" for _ in range(rows)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER.split(","))
        for number, event_id in enumerate(ids):
            moment = START + timedelta(seconds=number)
            props = json.dumps({"n": number, "filler": "x" * 100})
            writer.writerow((event_id, f"u{number % 50}", "seen", moment.isoformat(), "", "", props))
    return ids


# The command


def command(url: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "analytics_api", "import", *arguments],
        cwd=folder,
        env=clean_environment({"ANALYTICS__DATABASE_URL": url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate()
    return process.returncode, out + err


async def test_killed_in_the_middle_it_goes_on_and_stores_each_row_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    rows = 60_000
    ids = await asyncio.to_thread(write_rows, tmp_path / "events.csv", rows)
    process = command(database_url, tmp_path, "events.csv")
    while not await database.pool.fetchval("SELECT lines FROM imports"):
        assert process.poll() is None, finished(process)
    process.kill()
    await asyncio.to_thread(finished, process)
    assert 0 < len(await event_ids(database)) < rows

    code, output = await asyncio.to_thread(finished, command(database_url, tmp_path, "events.csv"))
    assert code == 0, output
    assert "where an earlier run had stopped" in output
    assert sorted(map(str, await event_ids(database))) == sorted(ids)
    state = await database.pool.fetchrow(
        "SELECT lines, accepted + duplicates AS known, finished FROM imports"
    )
    assert state is not None
    assert tuple(state) == (rows, rows, True)

    code, output = await asyncio.to_thread(finished, command(database_url, tmp_path, "events.csv"))
    assert (code, "nothing was added" in output) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "content", "sentence"),
    [
        (["events.csv", "--format", "xml"], HEADER, "--format xml: use one of csv, jsonl, access-log"),
        (["events.dat"], HEADER, "events.dat: the format cannot be told from the name"),
        (["events.csv"], "a,b\n1,2\n", "The file has no column 'event' or 'event_type'"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(
    database_url: str, tmp_path: Path, arguments: list[str], content: str, sentence: str
) -> None:
    for name in ("events.csv", "events.dat"):
        (tmp_path / name).write_text(content)
    code, output = await asyncio.to_thread(finished, command(database_url, tmp_path, *arguments))
    assert code == 2
    assert sentence in output
    assert output.startswith("analytics-api: ")
    assert "Traceback" not in output


# In one process


async def test_a_second_run_adds_nothing_and_again_finds_duplicates(
    database: Database, project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    ids = write_rows(path, 300)
    assert counts(await run_import(database, project, path)) == (300, 300, 0, 0)
    second = await run_import(database, project, path)
    assert (second.finished_before, second.accepted) == (True, 300)
    assert counts(await run_import(database, project, path, again=True)) == (300, 0, 300, 0)
    assert [str(event_id) for event_id in await event_ids(database)] == ids


async def test_rows_without_an_id_get_one_by_their_place(
    database: Database, project: Project, tmp_path: Path
) -> None:
    """Also when the same content comes packed, under another name or with another mapping."""
    path, packed = tmp_path / "events.csv", tmp_path / "packed.csv.gz"
    write_rows(path, 200, with_ids=False)
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert counts(await run_import(database, project, path)) == (200, 200, 0, 0)
    assert counts(await run_import(database, project, packed, again=True)) == (200, 0, 200, 0)
    renamed = FieldMap(event_types={"seen": "looked"})
    assert counts(await run_import(database, project, packed, mapping=renamed)) == (200, 0, 200, 0)
    assert len(set(await event_ids(database))) == 200


async def test_equal_rows_without_an_id_are_two_events(
    database: Database, project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    path.write_text("event,ts,user_id\nseen,2026-01-01,u\nseen,2026-01-01,u\n")
    assert counts(await run_import(database, project, path)) == (2, 2, 0, 0)


async def test_bad_rows_are_counted_and_named_and_the_others_stored(
    database: Database, project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    rows = [
        HEADER,
        'a,u,good,2026-01-01,,,"{""text"":\n""two lines""}"',
        "b,u,,2026-01-01,,,",
        "c,u,bad time,tomorrow,,,",
        "d,u,no time,,,,",
        "e,u,money,2026-01-01,ten,EUR,",
        'f,u,data,2026-01-01,,,"[1]"',
        'g,u,nul,2026-01-01,,,"{""a"":""\\u0000""}"',
        "h,u,ancient,1970-06-01,,,",
        "i,u,good,1997-01-01,,,",
    ]
    path.write_text("\n".join(rows) + "\n")
    report = await run_import(database, project, path)
    assert counts(report) == (9, 2, 0, 7)
    assert [example.split(":")[0] for example in report.examples] == [f"line {n}" for n in range(4, 11)]
    text = "\n".join(report.examples)
    for reason in ("event_type is empty", "timestamp is not a time", "there is no time", "revenue is not an"):
        assert reason in text
    stored = await database.pool.fetch("SELECT occurred_at::date::text AS day FROM events ORDER BY 1")
    assert [row["day"] for row in stored] == ["1997-01-01", "2026-01-01"]


async def test_an_empty_file_and_a_file_of_only_a_header(
    database: Database, project: Project, tmp_path: Path
) -> None:
    for number, content in enumerate(("", HEADER, HEADER + "\n")):
        path = tmp_path / f"{number}.csv"
        path.write_text(content)
        assert counts(await run_import(database, project, path)) == (0, 0, 0, 0)


@pytest.mark.parametrize(("limit", "value"), [("BATCH", 7), ("BATCH_BYTES", 40)])
async def test_more_batches_than_one_and_types_left_out(
    database: Database,
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
) -> None:
    monkeypatch.setattr(importer_module, limit, value)
    path = tmp_path / "events.csv"
    lines = [f"{number},u,{'odd' if number % 2 else 'even'},2026-01-01,,," for number in range(100)]
    path.write_text("\n".join([HEADER, *lines]))
    report = await run_import(database, project, path, mapping=FieldMap(event_types={"odd": "-"}))
    assert counts(report) == (100, 50, 0, 0)
    assert report.left_out == 50
    assert await database.pool.fetchval("SELECT count(*) FROM event_groups") > 5
    expected = {event_id_of(project.namespace, str(number)) for number in range(0, 100, 2)}
    assert set(await event_ids(database)) == expected


async def test_a_database_that_goes_away_stops_the_import_where_it_can_go_on(
    database: Database, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer_module, "BATCH", 50)
    monkeypatch.setattr(lane, "RETRY_SECONDS", 0.1)
    path = tmp_path / "events.csv"
    ids = write_rows(path, 500)
    real, calls = Database.connect, 0

    async def refuse(self: Database) -> asyncpg.Connection:
        raise ConnectionRefusedError("connection refused")

    async def break_after_three(self: Writer, events: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            # The writer's connection is cut and no new one is to be had.
            monkeypatch.setattr(Database, "connect", refuse)
            await database.pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        return await write(self, events)  # type: ignore[arg-type]

    write = Writer.write
    monkeypatch.setattr(Writer, "write", break_after_three)
    with pytest.raises(Unavailable, match="after 150 lines: run the same command again, it goes on there"):
        await run_import(database, project, path)
    monkeypatch.setattr(Database, "connect", real)
    monkeypatch.setattr(Writer, "write", write)
    # The command that is run again is another process, and has none of the connections that were cut.
    await database.engine.dispose()
    report = await run_import(database, project, path)
    assert (report.resumed_after, counts(report)) == (150, (500, 500, 0, 0))
    assert [str(event_id) for event_id in await event_ids(database)] == ids


async def test_history_keeps_the_ids_and_times_of_other_products(
    database: Database, project: Project, tmp_path: Path
) -> None:
    lines = {
        "segment": {"type": "identify", "messageId": "s", "userId": "u", "timestamp": "2019-05-01T00:00:00Z"},
        "amplitude": {
            "event_type": "a",
            "event_time": "2019-05-02 00:00:00.000000",
            "$insert_id": "a",
            "user_id": "u",
        },
        "mixpanel": {"event": "m", "properties": {"time": 1556841600, "distinct_id": "u", "$insert_id": "m"}},
    }
    for format_name, line in lines.items():
        path = tmp_path / format_name
        path.write_text(json.dumps(line) + "\n")
        assert counts(await run_import(database, project, path, format_name)) == (1, 1, 0, 0)
    rows = await database.pool.fetch(
        "SELECT event_id, event_type, occurred_at FROM events ORDER BY occurred_at"
    )
    assert [tuple(row) for row in rows] == [
        (event_id_of(project.namespace, name), kind, datetime(2019, 5, day, tzinfo=UTC))
        for day, (name, kind) in enumerate([("s", "$identify"), ("a", "a"), ("m", "m")], start=1)
    ]


# Real data


@pytest.mark.parametrize("from_ip", [True, False])
async def test_a_real_access_log(
    database: Database, project: Project, tmp_path: Path, shared_data: Path, from_ip: bool
) -> None:
    """Requests per day, visitors per day by address, statuses: as the known answers of the log have them."""
    known = json.loads((shared_data / "known-answers" / "apache_logs.json").read_text())
    log = shared_data / "apache_logs.log.gz"
    mapping = FieldMap(user_from_ip=from_ip)
    assert counts(await run_import(database, project, log, "access-log", mapping)) == (10_000, 10_000, 0, 0)
    # As its owner has it some days later: unpacked, and rotated away.
    plain = tmp_path / "access.log.1"
    plain.write_bytes(gzip.decompress(log.read_bytes()))
    again = await run_import(database, project, plain, "access-log", mapping, again=True)
    assert counts(again) == (10_000, 0, 10_000, 0)

    days = await database.pool.fetch(
        """
        SELECT (occurred_at AT TIME ZONE 'UTC')::date::text AS day, count(*) AS events,
               count(DISTINCT person_id) AS persons
        FROM events GROUP BY 1
        """
    )
    assert {row["day"]: row["events"] for row in days} == known["events_per_day"]
    persons = {row["day"]: row["persons"] for row in days}
    if from_ip:
        assert persons == known["dau"]
    else:
        # One address may be several browsers, never fewer visitors than addresses.
        assert all(persons[day] >= addresses for day, addresses in known["dau"].items())
        assert await database.pool.fetchval("SELECT count(DISTINCT person_id) FROM events") == sum(
            persons.values()
        )
    statuses = await database.pool.fetch("SELECT event_data->>'status' AS status FROM events")
    found = Counter(row["status"] for row in statuses)
    assert (found["404"], found["403"]) == (213, 2)


async def test_who_imports_waits_for_the_server_that_counts(database: Database, database_url: str) -> None:
    """Statistics are taken after: before, the tables would be said to be empty."""
    project = await make_project(database)
    await write_events(database, [make_event(project)])
    now = system_clock()
    async with database.acquire() as connection:
        await readers.ensure_reader(connection, project.id, READER, 0, now)
        lease = await readers.claim(connection, project.id, READER, "a server", now, LEASE)
    assert lease is not None
    reader = RollupReader(database, "an import")
    waiting = asyncio.create_task(count_imported(reader, project))
    await asyncio.sleep(0.7)
    assert not waiting.done()
    async with database.acquire() as connection:
        await readers.release(connection, lease)
        await waiting
        assert await connection.fetchval("SELECT count(*) FROM persons") == 1
    await reader.disconnect()
