"""`@track_analytics_event` for functions of all kinds, and the tracker for places in between."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

from analytics_client.client import AnalyticsClient
from analytics_client.requests import Tracker
from analytics_client.tracker import AnalyticsTracker, SyncAnalyticsTracker
from analytics_client.types import AnalyticsEvent

logger = logging.getLogger("analytics_client")

Function = TypeVar("Function", bound=Callable[..., Any])
Mapper = Callable[..., Mapping[str, Any]]

current_user: ContextVar[str | None] = ContextVar("analytics_current_user", default=None)
"""Whose call this is, where the arguments do not say; a middleware or dependency of the program sets it."""

_default: Tracker | None = None
_USER_ARGUMENTS = ("user_id", "current_user", "user")


def set_client(client: Tracker | None) -> None:
    """The client of all decorators that name none. Without it one is made from ANALYTICS_URL and ANALYTICS_KEY."""
    global _default
    _default = client


def get_client() -> Tracker:
    """The client of all decorators that name none."""
    global _default
    if _default is None:
        _default = AnalyticsClient()
    return _default


def track_analytics_event(
    event_type: str,
    event_data_mapper: Mapper | None = None,
    include_user: bool = True,
    *,
    completed: str | None = None,
    failed: str | None = None,
    cancelled: str | None = None,
    result_mapper: Callable[[Any], Mapping[str, Any]] | None = None,
    client: Tracker | None = None,
) -> Callable[[Function], Function]:
    """Sends `event_type` when the function is called: functions, methods, generators, and their async kinds.

    event_data_mapper: called with the arguments of the call; returns properties.
    include_user: name the user: the argument `user_id`, the `id` of `user` or `current_user`, else `current_user` above.
    completed, failed, cancelled: further events at the end, with `duration_ms`; `failed` with the exception's class as
        `error`. Generators begin with their first item and end with the last.
    result_mapper: called with what the function returns; more properties for `completed`.

    Nothing that goes wrong in here, mappers included, reaches the function or its caller.
    """

    def decorate(function: Function) -> Function:
        calls = _Calls(
            inspect.signature(function),
            event_type,
            (completed, failed, cancelled),
            event_data_mapper,
            result_mapper,
            include_user,
            client,
        )
        return functools.wraps(function)(_wrapped(function, calls))  # type: ignore[return-value]

    return decorate


def _wrapped(function: Callable[..., Any], calls: _Calls) -> Callable[..., Any]:
    """A function of the same kind, with a call noted around it."""
    if inspect.isasyncgenfunction(function):

        async def async_generator(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            with calls.begin(args, kwargs):
                inner = function(*args, **kwargs)
                try:
                    async for item in inner:
                        yield item
                finally:
                    await inner.aclose()

        return async_generator
    if inspect.isgeneratorfunction(function):

        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with calls.begin(args, kwargs) as call:
                call.result = yield from function(*args, **kwargs)
                return call.result

        return generator
    if inspect.iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with calls.begin(args, kwargs) as call:
                call.result = await function(*args, **kwargs)
                return call.result

        return coroutine

    def plain(*args: Any, **kwargs: Any) -> Any:
        with calls.begin(args, kwargs) as call:
            call.result = function(*args, **kwargs)
            return call.result

    return plain


class _Calls:
    """What is to be said of the calls of one function."""

    def __init__(
        self,
        signature: inspect.Signature,
        started: str,
        ends: tuple[str | None, str | None, str | None],
        mapper: Mapper | None,
        result_mapper: Callable[[Any], Mapping[str, Any]] | None,
        include_user: bool,
        client: Tracker | None,
    ) -> None:
        self.started = started
        self.completed, self.failed, self.cancelled = ends
        self.result_mapper = result_mapper
        self._signature = signature
        self._mapper = mapper
        self._include_user = include_user
        self._client = client

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        """A call."""
        data: dict[str, Any] = {}
        user = None
        try:
            if self._include_user:
                user = self._user(args, kwargs)
            if self._mapper is not None:
                data = dict(self._mapper(*args, **kwargs))
        except Exception as error:
            logger.warning(
                "properties of %s could not be made: %s: %s", self.started, type(error).__name__, error
            )
        return _Call(self, user, data)

    def track(self, event_type: str, data: Mapping[str, Any], user: str | None) -> None:
        """Send an event."""
        try:
            name = event_type.value if isinstance(event_type, AnalyticsEvent) else event_type
            (self._client or get_client()).track(name, data, user_id=user)
        except Exception as error:
            logger.warning("%s could not be tracked: %s: %s", event_type, type(error).__name__, error)

    def _user(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        given = self._signature.bind_partial(*args, **kwargs).arguments
        for name in _USER_ARGUMENTS:
            user = given.get(name)
            user = user.get("id") if isinstance(user, Mapping) else getattr(user, "id", user)
            if isinstance(user, (str, int)) or (user is not None and type(user).__name__ == "UUID"):
                return str(user)
        return current_user.get()


class _Call:
    """One call, from its begin to its end."""

    def __init__(self, calls: _Calls, user: str | None, data: dict[str, Any]) -> None:
        self._calls = calls
        self._user = user
        self._data = data
        self._began = time.perf_counter()
        self.result: Any = None

    def __enter__(self) -> _Call:
        self._calls.track(self._calls.started, self._data, self._user)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        calls = self._calls
        if kind is None:
            self._end(calls.completed, self._of_result())
        elif issubclass(kind, (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)):
            self._end(calls.cancelled, {})
        else:
            self._end(calls.failed, {"error": kind.__name__})

    def _end(self, event_type: str | None, more: Mapping[str, Any]) -> None:
        if event_type is not None:
            milliseconds = round((time.perf_counter() - self._began) * 1000, 3)
            self._calls.track(event_type, {**self._data, **more, "duration_ms": milliseconds}, self._user)

    def _of_result(self) -> Mapping[str, Any]:
        mapper = self._calls.result_mapper
        if mapper is None or self._calls.completed is None:
            return {}
        try:
            return dict(mapper(self.result))
        except Exception as error:
            logger.warning("properties of a result could not be made: %s: %s", type(error).__name__, error)
            return {}


__all__ = [
    "AnalyticsEvent",
    "AnalyticsTracker",
    "SyncAnalyticsTracker",
    "current_user",
    "get_client",
    "set_client",
    "track_analytics_event",
]
