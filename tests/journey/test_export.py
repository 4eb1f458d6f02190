"""Exports: every event once in every format, at constant memory from the real server; answers as CSV; views in SQL."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet
import pytest

from analytics_api.domain.project import KeyKind
from analytics_api.query.export.formats import COLUMNS
from tests.journey.test_intake_http import api, make_key
from tests.support.events import NOW, make_event, make_project, open_database
from tests.support.figures import record
from tests.support.processes import ServerProcess, clean_environment
from tests.support.serving import Served

BASE = "/api/v1/analytics"
SINCE = "2026-01-01T00:00:00Z"
NASTY = [
    '=cmd|"/C calc"!A1',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    'a "quoted", one',
    "zwei\nZeilen",
    "ü",
    "",
]


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Served]:
    async with api(database_url) as server:
        yield server


async def fill(url: str, number: int = 0, **more: Any) -> list[Any]:
    async with open_database(url) as database:
        project = await make_project(database)
        events = [
            make_event(
                project, "noted", user_id=text or None, event_data={"text": text, "n": place}, revenue="9.990"
            )
            for place, text in enumerate(NASTY)
        ]
        events += [make_event(project, "many", event_data={"n": place}, **more) for place in range(number)]
        await record(database, events)
    return events


async def get(server: Served, path: str, **parameters: Any) -> httpx.Response:
    answer = await server.client.get(f"{BASE}{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer


async def test_every_format_holds_every_event_once(server: Served, database_url: str) -> None:
    events = await fill(database_url, 2_500)
    ids = [str(event.event_id) for event in events]
    lines = [json.loads(line) for line in (await get(server, "/export")).text.splitlines()]
    assert [line["event_id"] for line in lines] == ids
    assert [line["event_data"]["text"] for line in lines[: len(NASTY)]] == NASTY

    answer = await get(server, "/export", format="csv")
    assert 'filename="events-default.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["event_id"] for row in rows] == ids
    for row, text in zip(rows, NASTY, strict=False):
        assert json.loads(row["event_data"])["text"] == text
        assert row["user_id"] == (
            f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and text else text
        )
        assert row["revenue"] == "9.990"

    table = pyarrow.parquet.read_table(io.BytesIO((await get(server, "/export", format="parquet")).content))
    assert table.column("event_id").to_pylist() == ids
    assert table.column("user_id").to_pylist()[: len(NASTY)] == [text or None for text in NASTY]
    assert table.column("revenue").to_pylist()[0] == "9.990"
    assert table.column("occurred_at").to_pylist()[0] == events[0].occurred_at


async def test_only_what_is_asked_for(server: Served, database_url: str) -> None:
    await fill(database_url, 30)
    one = await get(server, "/export", event_type="many", filter="event_data.n < 3")
    assert [json.loads(line)["event_data"]["n"] for line in one.text.splitlines()] == [0, 1, 2]
    assert (await get(server, "/export", until=SINCE)).text == ""
    assert (await get(server, "/export", until=SINCE, format="csv")).text == ",".join(COLUMNS) + "\r\n"
    nothing = await get(server, "/export", until=SINCE, format="parquet")
    assert pyarrow.parquet.read_table(io.BytesIO(nothing.content)).num_rows == 0
    for wrong in (
        {"format": "xls"},
        {"since": "2026-01-01T00:00:00"},
        {"filter": "a"},
        {"filter": "user_id matches ("},
    ):
        answer = await server.client.get(f"{BASE}/export", params=wrong)
        assert answer.status_code == 422, wrong


async def test_a_write_key_may_not_take_events_away(database_url: str) -> None:
    key = await make_key(database_url, KeyKind.WRITE)
    async with api(database_url, sandbox_mode=False) as server:
        for path in ("/export", "/schema", "/events"):
            answer = await server.client.get(f"{BASE}{path}", headers={"X-API-Key": key})
            assert answer.status_code == 403


async def test_answers_as_csv(server: Served, database_url: str) -> None:
    await fill(database_url, 3)
    asked = {"metric_type": "events", "start_date": "2026-03-09", "end_date": "2026-03-10"}
    points = (await get(server, "/metrics/aggregated", **asked)).json()
    answer = await get(server, "/metrics/aggregated", format="csv", **asked)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["metric_date"], row["value"]) for row in rows] == [
        (point["metric_date"], str(point["value"])) for point in points
    ]
    assert rows[0]["metadata.zone"] == "UTC"
    by_header = await server.client.get(
        f"{BASE}/metrics/aggregated", params=asked, headers={"Accept": "text/csv"}
    )
    assert len(by_header.text.splitlines()) == len(points) + 1
    assert by_header.text.splitlines()[0] == answer.text.splitlines()[0]
    users = await get(server, "/users", days=366, format="csv")
    names = {row["user_id"] for row in csv.DictReader(io.StringIO(users.text, newline=""))}
    assert '\'=cmd|"/C calc"!A1' in names
    totals = await get(server, "/overall", days=366, format="csv")
    [row] = csv.DictReader(io.StringIO(totals.text, newline=""))
    assert int(row["active_users"]) == len({text for text in NASTY if text} | {"ada"})
    channels = await get(server, "/overall", format="csv", table="shares.by_channel")
    assert [row["channel"] for row in csv.DictReader(io.StringIO(channels.text))] == [
        "whatsapp",
        "email",
        "qr",
        "link",
    ]
    wrong = await server.client.get(f"{BASE}/overall", params={"format": "csv", "table": "moo"})
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")
    assert "popular_pages" in wrong.json()["detail"]
    unknown = await server.client.get(f"{BASE}/overall", params={"format": "xlsx"})
    assert (unknown.status_code, unknown.json()["detail"]) == (
        422,
        "format: use one of json, csv, jsonl, parquet.",
    )
    missing = await server.client.get(f"{BASE}/users/nobody", params={"format": "csv"})
    assert missing.status_code == 404


async def test_answers_in_every_form(server: Served, database_url: str) -> None:
    """Of reports and of analyses: the same rows as in JSON; what changes something stays as it is."""
    await fill(database_url, 3)
    trend = {
        "series": [{"event": "noted"}, {"event": "many"}],
        "start_date": "2026-03-09",
        "end_date": "2026-03-11",
    }
    points = (await get(server, "/users", days=366)).json()["users"]
    lifecycle = {"start_date": "2026-03-09", "end_date": "2026-03-11", "period": "daily"}
    stages = (await server.client.post(f"{BASE}/analysis/lifecycle", json=lifecycle)).json()["points"]
    calls = [("GET", "/users?days=366", None, points), ("POST", "/analysis/lifecycle?", lifecycle, stages)]
    for method, path, body, expected in calls:
        assert expected
        lines = await server.client.request(method, f"{BASE}{path}&format=jsonl", json=body)
        assert lines.headers["content-type"] == "application/x-ndjson"
        rows = [json.loads(line) for line in lines.text.splitlines()]
        assert [
            {name: row[name] for name in each if name in row}
            for row, each in zip(rows, expected, strict=True)
        ] == [
            {name: value for name, value in each.items() if not isinstance(value, dict)} for each in expected
        ]
        file = await server.client.request(
            method, f"{BASE}{path}", json=body, headers={"Accept": "application/vnd.apache.parquet"}
        )
        table = pyarrow.parquet.read_table(io.BytesIO(file.content)).to_pylist()
        assert [{name: row[name] for name in each} for row, each in zip(table, rows, strict=True)] == rows
    several = await server.client.post(f"{BASE}/analysis/trends?format=csv&table=series", json=trend)
    rows = list(csv.DictReader(io.StringIO(several.text, newline="")))
    assert [(row["letter"], float(row["total"])) for row in rows] == [("A", len(NASTY)), ("B", 3)]
    wrong = await server.client.post(f"{BASE}/analysis/trends?format=csv", json={})
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")
    kept = await server.client.post(f"{BASE}/process-events?format=csv")
    assert kept.headers["content-type"] == "application/json"


VIEW = {"event": "page_view"}
ASKED: dict[str, dict[str, Any]] = {
    "trends": {"series": [VIEW, {**VIEW, "of": "persons"}]},
    "trends by path": {"series": [VIEW], "breakdown": "event_data.path"},
    "funnel": {"steps": [VIEW, {"event": "noted"}]},
    "funnel by path": {"steps": [VIEW, {"event": "noted"}], "breakdown": "event_data.path"},
    "retention": {"columns": 3},
    "journeys": {"anchor": VIEW, "steps": 2},
    "lifecycle": {"period": "daily"},
    "experiment": {"exposure": VIEW, "variant": "event_data.path", "metrics": [{"event": "noted"}, VIEW]},
}


def entries(name: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The numbers of an analysis in JSON, one by one, under the columns that its table has."""
    if name == "trends":
        return [
            {"letter": one["letter"], **dotted("points", point)}
            for one in answer["series"]
            for point in one["points"]
        ]
    if name == "trends by path":
        return [
            {"letter": one["letter"], "values.value": group["value"], **dotted("values.points", point)}
            for one in answer["series"] for group in one["values"] for point in group["points"]
        ]  # fmt: skip
    if name == "retention":
        return [
            {"cohort": row["cohort"], "size": row["size"], "cells.place": place, **dotted("cells", cell)}
            for row in answer["cohorts"] for place, cell in enumerate(row["cells"])
        ]  # fmt: skip
    if name == "experiment":
        return [
            {"name": metric["name"], **dotted("results", each)}
            for metric in answer["metrics"]
            for each in metric["results"]
        ]
    found: list[dict[str, Any]] = answer[{"journeys": "links", "lifecycle": "points"}.get(name, "steps")]
    return [dotted("", each) for each in found]


def dotted(prefix: str, entry: dict[str, Any]) -> dict[str, Any]:
    """What is no object and no list."""
    dot = f"{prefix}." if prefix else ""
    return {f"{dot}{name}": value for name, value in entry.items() if not isinstance(value, dict | list)}


async def test_an_analysis_is_a_table_of_its_numbers(server: Served, database_url: str) -> None:
    """A row for each point, step, cell, link or result, with what it belongs to; the same in every form."""
    async with open_database(database_url) as database:
        project = await make_project(database)
        await record(
            database,
            [
                make_event(project, kind, user_id=f"u{n % 5}", occurred_at=NOW + timedelta(hours=n), event_data={"path": f"/{n % 5 % 2}"})
                for n in range(40) for kind in ("page_view", "noted")
            ],
        )  # fmt: skip
    for name, question in ASKED.items():
        path = f"{BASE}/analysis/{name.split()[0]}"
        asked = {**question, "start_date": "2026-03-10", "end_date": "2026-03-12"}
        expected = entries(name, (await server.client.post(path, json=asked)).json())
        assert expected
        lines = (await server.client.post(f"{path}?format=jsonl", json=asked)).text.splitlines()
        rows = [json.loads(line) for line in lines]
        assert [
            {column: row.get(column) for column in each} for row, each in zip(rows, expected, strict=True)
        ] == expected, name
        sheet = list(
            csv.reader(
                io.StringIO((await server.client.post(f"{path}?format=csv", json=asked)).text, newline="")
            )
        )
        assert (set(sheet[0]), len(sheet)) == (set().union(*rows), len(rows) + 1)
        file = await server.client.post(f"{path}?format=parquet", json=asked)
        table = pyarrow.parquet.read_table(io.BytesIO(file.content)).to_pylist()
        assert [
            {column: row[column] for column in each} for row, each in zip(table, rows, strict=True)
        ] == rows, name
    nowhere = {**ASKED["experiment"], "exposure": {"event": "nobody did"}}
    empty = await server.client.post(f"{BASE}/analysis/experiment?format=csv", json=nowhere)
    asked = {**ASKED["experiment"], "start_date": "2026-03-10", "end_date": "2026-03-12"}
    full = await server.client.post(f"{BASE}/analysis/experiment?format=csv", json=asked)
    assert set(full.text.splitlines()[0].split(",")) <= set(empty.text.splitlines()[0].split(","))
    several = await server.client.get(f"{BASE}/schema", params={"format": "csv"})
    assert (several.status_code, "event_types.properties" in several.json()["detail"]) == (422, True)


async def test_an_empty_list_has_the_columns_of_a_full_one(server: Served, database_url: str) -> None:
    """Of calls that are described by an example and of those with a schema."""
    lists = {"/users": {"days": "366"}, "/keys": {}, "/sources": {"table": "channels"}}
    empty = {path: (await get(server, path, format="csv", **more)).text for path, more in lists.items()}
    await make_key(database_url, KeyKind.READ)
    await fill(database_url, 1)
    for path, head in empty.items():
        full = (await get(server, path, format="csv", **lists[path])).text
        assert head == full.splitlines(keepends=True)[0], path


async def test_the_schema_tells_what_there_is(server: Served, database_url: str) -> None:
    await fill(database_url, 1)
    found = (await get(server, "/schema")).json()
    noted = next(each for each in found["event_types"] if each["event_type"] == "noted")
    assert (noted["events"], noted["first_day"]) == (len(NASTY), "2026-03-10")
    assert noted["properties"] == [{"name": "n", "types": ["number"]}, {"name": "text", "types": ["string"]}]
    assert {each["view"] for each in found["sql_views"]} == {
        "bi.events", "bi.metrics", "bi.payments", "bi.person_days", "bi.persons", "bi.sessions",
    }  # fmt: skip


async def test_a_role_of_its_own_reads_the_views_and_nothing_else(database_url: str) -> None:
    events = await fill(database_url, 5)
    async with open_database(database_url) as database, database.acquire() as connection:
        await connection.execute("DROP ROLE IF EXISTS bi_reader_of_tests")
        await connection.execute("CREATE ROLE bi_reader_of_tests")
        try:
            await connection.execute("GRANT USAGE ON SCHEMA bi TO bi_reader_of_tests")
            await connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA bi TO bi_reader_of_tests")
            await connection.execute("SET ROLE bi_reader_of_tests")
            sql = "SELECT count(*) FROM bi.events WHERE project = 'default' AND day = '2026-03-10'"
            assert await connection.fetchval(sql) == len(events)
            for view in ("persons", "sessions", "person_days", "payments", "metrics"):
                await connection.fetch(f"SELECT * FROM bi.{view}")
            for table in ("events", "api_keys"):
                with pytest.raises(Exception, match="permission denied"):
                    await connection.fetch(f"SELECT * FROM public.{table}")
        finally:
            await connection.execute("RESET ROLE")
            await connection.execute("DROP OWNED BY bi_reader_of_tests")
            await connection.execute("DROP ROLE bi_reader_of_tests")


def memory_of(pid: int) -> int:
    """Resident memory in MB."""
    [line] = [
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) // 1024


async def test_memory_does_not_grow_with_what_is_exported(tmp_path: Path, database_url: str) -> None:
    await fill(database_url, 32_000, context={"text": "x" * 2_000})
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}
    with ServerProcess(env, tmp_path, "serve") as process:
        process.start()
        async with httpx.AsyncClient(timeout=120) as client:
            for kind in ("jsonl", "csv", "parquet"):
                most = []
                for number in (8_000, 32_000):
                    asked = {"format": kind, "event_type": "many", "filter": f"event_data.n < {number}"}
                    most.append(await most_memory(client, process, asked))
                # 17 MB go through, then 68.
                assert most[1] - most[0] < 25, (kind, most)


async def most_memory(client: httpx.AsyncClient, process: ServerProcess, asked: dict[str, str]) -> int:
    """The server's memory at its highest while it exports."""
    most = 0
    async with client.stream("GET", f"{process.url}{BASE}/export", params=asked) as answer:
        assert answer.status_code == 200
        async for _part in answer.aiter_bytes():
            most = max(most, memory_of(process.pid))
    return most


async def test_the_command_writes_files(tmp_path: Path, database_url: str) -> None:
    events = await fill(database_url, 20)

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "analytics_api", "export", *arguments],
            cwd=tmp_path,
            env=clean_environment({"ANALYTICS__DATABASE_URL": database_url}),
            capture_output=True,
            check=False,
        )

    for name in ("all.csv", "all.jsonl", "all.parquet"):
        done = run(name)
        assert done.returncode == 0, done.stderr
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["event_id"] for row in rows] == [str(event.event_id) for event in events]
    assert pyarrow.parquet.read_table(tmp_path / "all.parquet").num_rows == len(events)
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == len(events)
    assert {path.name for path in tmp_path.iterdir()} >= {"all.csv", "all.jsonl", "all.parquet"}
    assert not list(tmp_path.glob("*.part"))
    out = run("-", "--event-type", "many", "--filter", "event_data.n >= 18")
    assert [json.loads(line)["event_data"]["n"] for line in out.stdout.splitlines()] == [18, 19]
    wrong = run("x.csv", "--filter", "moo")
    assert wrong.returncode == 2
    assert b"--filter" in wrong.stderr
    assert not (tmp_path / "x.csv").exists()
