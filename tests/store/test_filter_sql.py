"""Filters in SQL against the same filters in plain Python."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from analytics_api.domain.filters import Path, as_json, in_words, parse_filters
from analytics_api.store.engine import Database
from analytics_api.store.filter_sql import Binds, check_patterns, filter_sql, number_sql, text_sql
from tests.support.databases import in_thread
from tests.support.events import open_database
from tests.support.filtering import CONDITIONS, FILTERS, OBJECTS, exact, look_up, meets, number_of

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_ROWS = """
    WITH e AS (
        SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS e (
            number integer, event_type text, user_id text, anonymous_id text, session_id text, revenue numeric, currency text,
            is_bot boolean, event_data jsonb, user_properties jsonb, context jsonb, properties jsonb, first_touch jsonb)
    )
    SELECT p.number FROM e CROSS JOIN LATERAL (SELECT e.number, e.properties, e.first_touch) AS p WHERE {condition} ORDER BY 1
"""
event = st.fixed_dictionaries(
    {
        "event_type": st.sampled_from(["page_view", "signup", "5"]),
        "user_id": st.none() | st.sampled_from(["ada", "5", " 7 ", "true"]),
        "anonymous_id": st.none() | st.just("pro"),
        "session_id": st.none() | st.just("1e2"),
        "revenue": st.none() | st.sampled_from(["9.99", "5", "5.0", "100"]),
        "currency": st.none() | st.just("EUR"),
        "is_bot": st.booleans(),
        "event_data": OBJECTS,
        "user_properties": st.none() | OBJECTS,
        "context": OBJECTS,
        "person": st.none() | OBJECTS,
        "first_touch": st.none() | OBJECTS,
    }
)


async def chosen(url: str, events: list[dict[str, Any]], filters: Any) -> list[int]:
    binds = Binds()
    condition = filter_sql(parse_filters(filters), binds)
    rows = [{**each, "number": n, "properties": each["person"]} for n, each in enumerate(events)]
    async with open_database(url) as database, database.read() as connection:
        found = await connection.execute(
            text(_ROWS.format(condition=condition)), {"rows": json.dumps(rows), **binds.parameters}
        )
        return [row.number for row in found]


def known(each: dict[str, Any]) -> dict[str, Any]:
    revenue = each["revenue"]
    return {**exact(each), "revenue": None if revenue is None else Decimal(revenue)}


def one(**given: Any) -> dict[str, Any]:
    empty = dict.fromkeys(
        [
            "user_id",
            "anonymous_id",
            "session_id",
            "revenue",
            "currency",
            "user_properties",
            "person",
            "first_touch",
        ]
    )
    return {**empty, "event_type": "page_view", "is_bot": False, "event_data": {}, "context": {}, **given}


@many
@example(
    events=[one(event_data={"a.b": None, "a": {"b": 1}})],
    filters=[{"path": "event_data.a.b", "op": "exists"}],
)
@example(
    events=[one(event_data={"a": [5, "x"]})],
    filters=[{"path": "event_data.a", "op": "contains", "value": "5"}],
)
@example(events=[one(event_data={"a": "\u00a05"})], filters=[{"path": "event_data.a", "op": ">", "value": 1}])
@example(events=[one(event_data={"a": -0.0})], filters=[{"path": "event_data.a", "op": "is", "value": "0.0"}])
@given(events=st.lists(event, min_size=1, max_size=8), filters=FILTERS)
def test_a_filter_chooses_what_plain_python_does(
    database_url: str, events: list[dict[str, Any]], filters: list[Any]
) -> None:
    expected = [n for n, each in enumerate(events) if meets(filters, known(each))]
    assert in_thread(chosen(database_url, events, filters)) == expected


@many
@given(filters=FILTERS)
def test_a_filter_survives_being_written(filters: list[Any]) -> None:
    parsed = parse_filters(filters)
    written = json.loads(json.dumps(as_json(parsed)))
    assert parse_filters(written) == parsed
    assert as_json(parse_filters(written)) == written
    assert bool(in_words(parsed)) is bool(filters)


@many
@given(data=OBJECTS, condition=CONDITIONS)
def test_values_are_read_as_plain_python_reads_them(
    database_url: str, data: dict[str, Any], condition: dict[str, Any]
) -> None:
    path = condition["path"] if condition["path"].startswith("event_data") else "event_data.a"

    async def read() -> tuple[Decimal | None, str | None]:
        binds = Binds()
        sql = (
            f"{number_sql(Path.parse(path), binds)} AS number, {text_sql(Path.parse(path), binds)} AS written"
        )
        async with open_database(database_url) as database, database.read() as connection:
            statement = text(f"SELECT {sql} FROM (SELECT CAST(:data AS jsonb) AS event_data) AS e")
            [row] = await connection.execute(statement, {"data": json.dumps(data), **binds.parameters})
        return row.number, row.written

    number, written = in_thread(read())
    found = look_up(path, {"event_data": exact(data)})
    assert number == number_of(found)
    assert (written is None) is (found is None or isinstance(found, list | dict))


@pytest.fixture
async def database(database_url: str) -> Any:
    async with open_database(database_url) as database:
        yield database


async def test_a_pattern_that_postgresql_refuses_is_named(database: Database) -> None:
    filters = parse_filters({"path": "event_data.plan", "op": "matches", "value": ["^pro", "(["]})
    async with database.read() as connection:
        with pytest.raises(
            ValueError, match=r"event_data\.plan matches: '\(\[' is no regular expression: \w"
        ):
            await check_patterns(connection, filters)
        with pytest.raises(ValueError, match=r"is no regular expression: .*too complex"):
            await check_patterns(
                connection,
                parse_filters({"path": "user_id", "op": "matches", "value": "((a{1,255}){1,255}){1,255}"}),
            )
        # The transaction goes on, with its own time limit.
        assert await connection.scalar(text("SELECT 1")) == 1
        await check_patterns(
            connection, parse_filters({"path": "event_data.plan", "op": "not_matches", "value": "^p"})
        )
        assert await connection.scalar(text("SHOW statement_timeout")) == "30s"
