"""The decorator on functions of all kinds, as the implementation guide shows it, and what it must never do."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from analytics_client.decorators import AnalyticsEvent, current_user, set_client, track_analytics_event
from analytics_client.testing import RecordingClient

from analytics_api.domain.event import EventType


@pytest.fixture
def client() -> Iterator[RecordingClient]:
    made = RecordingClient()
    set_client(made)
    yield made
    set_client(None)


@dataclass
class User:
    id: int


ENDS: dict[str, Any] = {
    "completed": AnalyticsEvent.GENERATION_COMPLETED,
    "failed": AnalyticsEvent.GENERATION_FAILED,
    "cancelled": AnalyticsEvent.GENERATION_CANCELLED,
}


def types_of(client: RecordingClient) -> list[str]:
    return [event["event_type"] for event in client.events]


async def test_the_example_of_the_guide(client: RecordingClient) -> None:
    @track_analytics_event(
        event_type=AnalyticsEvent.GENERATION_STARTED,
        event_data_mapper=lambda *args, **kwargs: {
            "generation_type": kwargs.get("generation_type", "unknown"),
            "prompt_length": len(kwargs.get("prompt", "")),
        },
        include_user=True,
    )
    async def generate_content(prompt: str, generation_type: str) -> str:
        return prompt

    assert inspect.iscoroutinefunction(generate_content)
    token = current_user.set("7")
    assert await generate_content(prompt="four", generation_type="image") == "four"
    current_user.reset(token)
    (event,) = client.events
    assert event["event_type"] == "generation_started"
    assert event["event_data"] == {"generation_type": "image", "prompt_length": 4}
    assert event["user_id"] == "7"


def test_methods_results_and_durations(client: RecordingClient) -> None:
    class Studio:
        @track_analytics_event("generation_started", result_mapper=lambda made: {"result_id": made}, **ENDS)
        def paint(self, user: User) -> int:
            return 5

    assert Studio().paint(User(3)) == 5
    started, completed = client.events
    assert completed["event_data"]["result_id"] == 5
    assert completed["event_data"]["duration_ms"] >= 0
    assert started["user_id"] == completed["user_id"] == "3"


def test_what_fails_fails_as_before(client: RecordingClient) -> None:
    @track_analytics_event("generation_started", **ENDS)
    def broken(user_id: str) -> None:
        raise KeyError("ada@example.org")

    with pytest.raises(KeyError):
        broken("u")
    failed = client.events[1]
    assert (failed["event_type"], failed["event_data"]["error"]) == ("generation_failed", "KeyError")
    assert "example.org" not in str(client.events)


async def test_a_cancelled_task(client: RecordingClient) -> None:
    @track_analytics_event("generation_started", **ENDS)
    async def slow() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert types_of(client) == ["generation_started", "generation_cancelled"]


async def test_generators(client: RecordingClient) -> None:
    closed: list[str] = []

    @track_analytics_event("generation_started", **ENDS)
    def numbers(upto: int) -> Iterator[int]:
        yield from range(upto)

    @track_analytics_event("generation_started", **ENDS)
    async def words() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("closed")

    assert inspect.isgeneratorfunction(numbers)
    assert inspect.isasyncgenfunction(words)
    unused = numbers(3)
    assert client.events == []
    assert list(unused) == [0, 1, 2]
    assert [word async for word in words()] == ["a", "b"]
    assert types_of(client) == ["generation_started", "generation_completed"] * 2
    client.clear()
    broken_off = words()
    assert await anext(broken_off) == "a"
    await broken_off.aclose()
    assert types_of(client) == ["generation_started", "generation_cancelled"]
    assert closed == ["closed", "closed"]


@pytest.mark.parametrize("mapper", [lambda: {}, lambda value: 5, lambda value: 1 / 0])
def test_a_mapper_that_fails_harms_nobody(client: RecordingClient, mapper: Any) -> None:
    @track_analytics_event(
        "feature_used", mapper, completed="done", result_mapper=lambda value: {value: 1 / 0}
    )
    def double(value: int) -> int:
        return value * 2

    assert double(4) == 8
    assert types_of(client) == ["feature_used", "done"]


def test_a_client_that_fails_harms_nobody() -> None:
    class Broken:
        @property
        def track(self) -> Any:
            raise RuntimeError("broken")

    @track_analytics_event("feature_used", client=Broken())
    def double(value: int) -> int:
        return value * 2

    assert double(4) == 8


def test_the_names_are_those_of_the_server() -> None:
    system = {EventType.API_REQUEST, EventType.IDENTIFY, EventType.ALIAS}
    known = {kind.name: kind.value for kind in EventType if kind not in system and kind.value[0] != "$"}
    assert {kind.name: kind.value for kind in AnalyticsEvent} == known
