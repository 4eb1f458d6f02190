"""Nothing that a request waits for runs in a thread of FastAPI's."""

from __future__ import annotations

from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from analytics_api.app import create_app
from analytics_api.settings import Settings


def calls(dependant: Dependant) -> list[Any]:
    return [dependant.call, *(call for each in dependant.dependencies for call in calls(each))]


def is_coroutine(function: Any) -> bool:
    return iscoroutinefunction(function) or isasyncgenfunction(function)


def test_dependencies_are_coroutines() -> None:
    """In a thread even a look at `app.state` waits for the processor behind what the event loop is doing."""
    app = create_app(Settings(), "postgresql://nowhere")
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert routes
    blocking = {
        call
        for route in routes
        for call in calls(route.dependant)
        if call is not None and not (is_coroutine(call) or is_coroutine(type(call).__call__))
    }
    assert blocking == set()
