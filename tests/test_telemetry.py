"""Log lines without secrets, and metrics that a scraper can read."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from decimal import Decimal

import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from analytics_api import telemetry
from analytics_api.domain.project import KeyKind
from analytics_api.store.keys import create_key
from tests.support.events import NOW, make_event, make_project, open_database, write_events


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    access = logging.getLogger("uvicorn.access")
    quiet = {name: logging.getLogger(name).level for name in ("apscheduler", "httpx", "httpcore", "asyncio")}
    before = (root.handlers[:], root.level, access.disabled)
    yield
    root.handlers[:], root.level, access.disabled = before
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)


def logged(level: str = "INFO", *, terminal: bool = False) -> io.StringIO:
    stream = Terminal() if terminal else io.StringIO()
    telemetry.configure_logging(level, stream=stream)
    return stream


def test_off_a_terminal_each_line_is_json_with_the_request_id() -> None:
    stream = logged()
    token = telemetry.request_id.set("abc-1")
    try:
        logging.getLogger("analytics_api.test").info("two\nlines and half a pair \ud800, %s", "ü")
    finally:
        telemetry.request_id.reset(token)
    logging.getLogger("analytics_api.test").warning("outside of a request")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first["message"] == "two\nlines and half a pair ?, ü"
    assert (first["level"], first["logger"], first["request_id"]) == ("INFO", "analytics_api.test", "abc-1")
    assert first["time"].endswith("+00:00")
    assert "request_id" not in second


def test_on_a_terminal_a_line_is_for_people() -> None:
    stream = logged(terminal=True)
    token = telemetry.request_id.set("abc-1")
    try:
        logging.getLogger("analytics_api.ingest.writer").warning("the database is away")
    finally:
        telemetry.request_id.reset(token)
    assert stream.getvalue()[8:] == " WARNING  ingest.writer: the database is away [abc-1]\n"


def test_the_level_is_honoured_and_libraries_are_kept_quiet() -> None:
    stream = logged("WARNING")
    logging.getLogger("analytics_api.test").info("not shown")
    logging.getLogger("analytics_api.test").error("shown")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["shown"]
    stream = logged("INFO")
    logging.getLogger("httpx").info("HTTP Request: POST https://api.mixpanel.com/import?project_id=1")
    logging.getLogger("apscheduler.executors.default").info("Running job")
    logging.getLogger("uvicorn.access").info('203.0.113.9 - "GET /?key=secret"')
    logging.getLogger("uvicorn.error").info("Started server process")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == [
        "Started server process"
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_passwords_and_keys_never_reach_the_log(terminal: bool) -> None:
    stream = logged(terminal=terminal)
    logger = logging.getLogger("analytics_api.test")
    key = "wk_" + "Ab3-_" * 8 + "xyz"
    logger.info("got %s", key)
    logger.info("GET /events?project=a&key=hunter2-a&limit=1 and ?token=hunter2-b")
    logger.info("postgresql://analytics:hunter2-c@db:5432/analytics")
    logger.info("Authorization: Bearer hunter2-ddddddddddddd")
    try:
        raise ValueError(f"bad key {key} at https://host/?api_key=hunter2-e")
    except ValueError:
        logger.exception("failed")
    output = stream.getvalue()
    assert key[3:] not in output
    assert "hunter2" not in output
    assert "got wk_***" in output
    assert "postgresql://analytics:***@db:5432/analytics" in output
    assert "limit=1" in output
    assert "ValueError" in output


async def test_rows_that_the_database_quotes_are_withheld(database_url: str) -> None:
    """asyncpg and SQLAlchemy put the values of the failing row into their errors: an event's payload."""
    stream = logged()
    logger = logging.getLogger("analytics_api.test")
    async with open_database(database_url) as database:
        project = await make_project(database)
        event = make_event(project, "secret-type", user_id="hunter2", revenue=str(Decimal(1)))
        assert await write_events(database, [event]) == [True]
        async with database.acquire() as connection:
            with pytest.raises(asyncpg.NotNullViolationError) as refused:
                await connection.execute("UPDATE events SET context = NULL")
        with pytest.raises(DBAPIError) as refused_too:
            async with database.write() as session:
                await session.execute(
                    text("INSERT INTO projects (slug, name) VALUES (:slug, :name)"),
                    {"slug": "hunter2", "name": "hunter2"},
                )
        async with database.write() as session:
            key = await create_key(session, project.id, KeyKind.SERVER, now=NOW)
    assert "hunter2" in str(refused.value)
    assert "hunter2" in str(refused_too.value)
    logger.error("refused: %s", refused.value)
    logger.error("refused", exc_info=refused.value)
    logger.error("refused", exc_info=refused_too.value)
    logger.error("the key is %s", key)
    assert "hunter2" not in stream.getvalue()
    assert key not in stream.getvalue()
    assert stream.getvalue().count("violates not-null constraint") >= 3


def test_occasionally_says_yes_once_in_its_time() -> None:
    often = telemetry.Occasionally(0.0)
    assert [often(), often()] == [True, True]
    seldom = telemetry.Occasionally(3600)
    assert [seldom(), seldom(), seldom()] == [True, False, False]


def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What a scraper reads: (name, labels) -> value."""
    families = text_string_to_metric_families(telemetry.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def grown(name: str, before: dict[tuple[str, tuple[tuple[str, str], ...]], float], **labels: str) -> float:
    key = (name, tuple(sorted(labels.items())))
    return samples()[key] - before.get(key, 0.0)


def test_counters_are_scraped() -> None:
    before = samples()
    telemetry.count_events("accepted", 3)
    telemetry.count_events("rejected", reason="event_type")
    telemetry.count_deliveries("mixpanel", "delivered", 7)
    telemetry.set_reader_lag("default", "rollups", 12)
    telemetry.write_group_events.observe(250)
    assert grown("analytics_events_total", before, outcome="accepted", reason="") == 3
    assert grown("analytics_events_total", before, outcome="rejected", reason="event_type") == 1
    assert grown("analytics_deliveries_total", before, destination="mixpanel", outcome="delivered") == 7
    assert samples()["analytics_reader_lag", (("project", "default"), ("reader", "rollups"))] == 12
    assert grown("analytics_write_group_events_bucket", before, le="500.0") == 1
    assert grown("analytics_write_group_events_bucket", before, le="100.0") == 0


def test_job_runs_are_counted_by_outcome_and_errors_go_on() -> None:
    before = samples()
    with telemetry.job_run("test-job"):
        pass
    with pytest.raises(ValueError, match="broken"), telemetry.job_run("test-job"):
        raise ValueError("broken")
    assert grown("analytics_job_seconds_count", before, job="test-job", outcome="ok") == 1
    assert grown("analytics_job_seconds_count", before, job="test-job", outcome="failed") == 1


def test_reasons_are_bounded() -> None:
    before = samples()
    for number in range(200):
        telemetry.count_events("rejected", reason=f"made up {number}")
    reasons = {dict(labels)["reason"] for name, labels in samples() if name == "analytics_events_total"}
    assert len(reasons) <= 53
    assert grown("analytics_events_total", before, outcome="rejected", reason="other") >= 150


def test_every_metric_is_named_after_the_product() -> None:
    assert {name.split("_")[0] for name, _ in samples()} == {"analytics"}
