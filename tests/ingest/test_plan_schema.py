"""Schemas of event data: what is refused, what is found, that nothing is fetched, and agreement with the reference library."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.domain.event import EventType
from analytics_api.domain.plan import WarningKind
from analytics_api.errors import Unprocessable
from analytics_api.ingest.plan.document import catalogue, check_type
from analytics_api.ingest.plan.schema import EventSchema, schema_text


def refusal(schema: dict[str, Any]) -> str:
    with pytest.raises(Unprocessable) as caught:
        EventSchema(schema)
    return caught.value.detail


def found(schema: dict[str, Any], data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(one.kind), one.path) for one in EventSchema(schema).findings(data)]


def test_findings_name_the_field() -> None:
    schema = {
        "required": ["id"],
        "properties": {
            "id": {"type": "integer"},
            "lines": {"items": {"properties": {"price": {"minimum": 0}}, "unevaluatedProperties": False}},
        },
        "additionalProperties": False,
    }
    assert found(schema, {"id": 1, "lines": [{"price": 1}]}) == []
    assert sorted(found(schema, {"lines": [{"price": 1}, {"price": -1}, {"price": 0, "x": 1}], "b": 1})) == [
        ("schema", "event_data.id"),
        ("schema", "event_data.lines[].price"),
        ("unknown_field", "event_data.b"),
        ("unknown_field", "event_data.lines[].x"),
    ]


def test_reasons_say_the_place_and_never_the_value() -> None:
    schema = {"properties": {"codes": {"items": {"pattern": "^[A-Z]+$", "maxLength": 5}}}}
    [one] = EventSchema(schema).findings({"codes": ["OK", "secret"]})[:1]
    assert one.kind is WarningKind.SCHEMA
    assert one.reason.startswith("event_data.codes[1]: the value ")
    assert "secret" not in one.reason


@pytest.mark.parametrize(
    ("schema", "data", "expected"),
    [
        ({"additionalProperties": False}, {"a": 1}, ("unknown_field", "event_data.a")),
        ({"unevaluatedProperties": False}, {"a": 1}, ("unknown_field", "event_data.a")),
        (
            {"properties": {"a": {"additionalProperties": False}}},
            {"a": {"b": 1}},
            ("unknown_field", "event_data.a.b"),
        ),
        ({"additionalProperties": {"type": "string"}}, {"a": 1}, ("schema", "event_data.a")),
        (
            {"properties": {"additionalProperties": False}},
            {"additionalProperties": 1},
            ("schema", "event_data.additionalProperties"),
        ),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, ("schema", "event_data")),
        ({"not": {}}, {}, ("schema", "event_data")),
    ],
)
def test_fields_that_nobody_planned(
    schema: dict[str, Any], data: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert found(schema, data) == [expected]


def test_a_long_text_of_findings_is_cut() -> None:
    options = [str(number) * 90 for number in range(9)]
    [one] = EventSchema({"properties": {"a": {"enum": options}}}).findings({"a": 1})
    assert len(one.reason) <= 300
    many = EventSchema({"additionalProperties": False}).findings({f"field-{n}": n for n in range(50)})
    assert len(many) == 5


async def test_nothing_is_ever_fetched(tmp_path: Path) -> None:
    """Neither when a schema is registered nor when an event comes."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    secret = tmp_path / "schema.json"
    secret.write_text("{}")
    urls = [
        f"http://{host}/a.json",
        f"//{host}/a.json",
        f"http://{host}/a.json#/$defs/x",
        secret.as_uri(),
        "other.json",
        "?a",
    ]
    schemas: list[dict[str, Any]] = []
    for url in urls:
        schemas += [
            {"$ref": url},
            {"properties": {"a": {"items": {"$ref": url}}}},
            {"$id": f"http://{host}/", "properties": {"a": {"$ref": url}}},
            {"$dynamicRef": url},
            {"$recursiveRef": url},
            {"if": {"properties": {"a": {"$id": f"http://{host}/b", "$ref": url}}}},
            {"dependencies": {"a": {"$ref": url}}},
        ]
    schemas += [
        {"$schema": f"http://{host}/meta.json"},
        {"properties": {"a": {"$schema": f"http://{host}/m"}}},
    ]
    async with server:
        for schema in schemas:
            try:
                compiled = await asyncio.to_thread(EventSchema, schema)
            except Unprocessable:
                continue
            await asyncio.to_thread(compiled.findings, {"a": [1]})
        await asyncio.sleep(0.05)
    assert asked == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#"}, "leads out of the schema"),
        ({"$ref": "#/$defs/a"}, "there is no '#/$defs/a' in the schema"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}, "leads back to itself"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "schema.$schema: only draft 2020-12"),
        (
            {"properties": {"a": {"$id": "http://x.example/"}}},
            "schema.properties.a.$id: is possible at the top",
        ),
        ({"properties": {"a": {"$anchor": "x"}}}, "$anchor: is not supported"),
        ({"properties": {"a": {"pattern": "^(?=x)"}}}, "is no pattern that can be used"),
        ({"patternProperties": {"(": {}}}, "is no pattern that can be used"),
        ({"minimum": "1"}, 'schema.minimum: the value is not of type "number"'),
        ({"properties": []}, "schema.properties"),
    ],
)
def test_wrong_schemas_are_refused_with_the_place(schema: dict[str, Any], words: str) -> None:
    assert words in refusal(schema)


def test_schemas_that_would_take_for_ever_are_refused() -> None:
    definitions: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(18)
    }
    definitions["d18"] = {}
    assert "more than 5000 parts" in refusal({"$ref": "#/$defs/d0", "$defs": definitions})
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"not": deep}
    assert "nested deeper" in refusal(deep)


def test_patterns_take_no_longer_for_hostile_text() -> None:
    """With a backtracking engine this test would not end."""
    assert found({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 20_000 + "b"}) == [
        ("schema", "event_data.a")
    ]


def test_an_event_of_nothing_but_errors_keeps_nobody_waiting() -> None:
    """Anybody with a public key can send one; finding all that is wrong with it took 5 s."""
    listed = {"properties": {"x": {"items": {"anyOf": [{"type": "string"}] * 50}}}}
    schema = EventSchema(listed)
    began = time.perf_counter()
    found = schema.findings({"x": list(range(12_000))})
    assert time.perf_counter() - began < 1
    assert [finding.path for finding in found] == ["event_data.x[]"]


def test_names_that_look_like_keywords_are_names() -> None:
    schema = {
        "properties": {"$ref": {"type": "string"}, "properties": {"type": "string"}, "$id": {}},
        "const": {"$ref": "http://127.0.0.1:9/"},
    }
    EventSchema(schema)
    EventSchema(
        {"$id": "https://example.com/plan", "$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "object"}}}
    )


@pytest.mark.parametrize("value", [float("nan"), "\ud800", "x" * 33_000])
def test_what_is_no_json_or_too_large_is_not_stored(value: object) -> None:
    with pytest.raises(Unprocessable, match="schema:"):
        schema_text({"const": value})


def test_the_catalogue_is_a_plan() -> None:
    types = catalogue()
    by_name = {str(kind): kind for kind in EventType}
    assert EventType.SIGNUP_COMPLETED in types
    assert not any(name.startswith("$") for name in types)
    for name, planned in types.items():
        check_type(name, planned)
        assert set(planned.schema["properties"]) == set(by_name[name].properties)
    amount = EventSchema(types["payment_completed"].schema)
    assert not amount.findings({"amount": 9.99, "currency": "EUR"})
    assert not amount.findings({"amount": "9.99", "currency": "EUR", "more": 1})
    assert amount.findings({"amount": -1})
    assert amount.findings({"currency": "Euro"})


NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(-5, 5) | st.text("abc€", max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "null", "array", "object"])
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(SCALARS, min_size=1, max_size=3),
        "const": SCALARS,
        "minimum": st.integers(-3, 3),
        "exclusiveMaximum": st.integers(-3, 3),
        "multipleOf": st.integers(1, 3),
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "pattern": st.sampled_from(["^a", "b$", "^[ab]+$", "€"]),
        "minItems": st.integers(0, 2),
        "uniqueItems": st.booleans(),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "maxProperties": st.integers(0, 3),
    },
)


def _larger(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "additionalProperties": st.booleans() | inner,
            "unevaluatedProperties": st.booleans(),
            "propertyNames": inner,
            "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "contains": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "required": st.lists(NAMES, max_size=2, unique=True),
        },
    )


@given(
    st.recursive(LEAVES, _larger, max_leaves=8),
    st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=5),
)
def test_decisions_are_those_of_the_reference_library(
    schema: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    reference = jsonschema.Draft202012Validator(schema)
    compiled = EventSchema(json.loads(schema_text(schema)))
    for data in events:
        assert (compiled.findings(data) == ()) == reference.is_valid(data)
