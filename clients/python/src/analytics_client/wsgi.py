"""Notes the requests of any WSGI application (Flask, Django and others) without breaking one."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from analytics_client.requests import (
    EXCLUDED,
    MOST_DETAIL_BYTES,
    UNMATCHED,
    UNPROCESSABLE,
    RequestNotes,
    Tracker,
    logger,
    validation_errors,
)

Environ = dict[str, Any]
Describe = Callable[[Environ], Mapping[str, Any]]
_CONVERTER = re.compile(r"<(?:[^<>:]*:)?(\w+)>")


class AnalyticsWSGIMiddleware:
    """Sends an event `api_request` for every request; the options are those of asgi.AnalyticsMiddleware.

    `describe` is called with the environment, in which Flask leaves its request as `werkzeug.request`.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        client: Tracker,
        *,
        describe: Describe | None = None,
        exclude: Sequence[str] = EXCLUDED,
        sample: float = 1.0,
        aggregate_seconds: float | None = None,
    ) -> None:
        self.app = app
        self._notes = RequestNotes(client, exclude, sample, aggregate_seconds)
        self._describe = describe

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        if not self._notes.wants(environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")):
            return self.app(environ, start_response)
        exchange = _Exchange(environ, start_response, lambda done: self._note(environ, done))
        try:
            return exchange.watch(self.app(environ, exchange.start))
        except BaseException as error:
            exchange.fail(error)
            exchange.close()
            raise

    def flush(self) -> None:
        """Hand over what is summed up; for the end of a program that uses `aggregate_seconds`."""
        self._notes.flush()

    def _note(self, environ: Environ, exchange: _Exchange) -> None:
        try:
            extra: dict[str, Any] = {}
            if exchange.exception is not None:
                extra["exception"] = exchange.exception
            if exchange.detail:
                extra["errors"] = validation_errors(bytes(exchange.detail))
            said = self._describe(environ) if self._describe is not None else None
            self._notes.note(
                environ["REQUEST_METHOD"], exchange.route, exchange.status, exchange.seconds, extra, said
            )
        except Exception:
            logger.debug("a request could not be noted", exc_info=True)


class _Exchange:
    """Watches one response; notes it when the server is done with it."""

    def __init__(
        self, environ: Environ, start_response: Callable[..., Any], noted: Callable[[_Exchange], None]
    ) -> None:
        self._environ = environ
        self._start_response = start_response
        self._noted: Callable[[_Exchange], None] | None = noted
        self._began = time.perf_counter()
        self._body: Iterable[bytes] = ()
        self.route = UNMATCHED
        self.status = 500
        self.seconds = 0.0
        self.exception: str | None = None
        self.detail: bytearray | None = None

    def start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        """The application begins its response."""
        self.status = int(status[:3])
        self.route = _route(self._environ)  # Now, because Flask takes its request away at the end.
        self.detail = bytearray() if self.status == UNPROCESSABLE else None
        if exc_info and exc_info[0]:
            self.exception = exc_info[0][0].__name__
        return self._start_response(status, headers, *exc_info)

    def watch(self, body: Iterable[bytes]) -> _Exchange:
        """The application's body, as this iterable."""
        self._body = body
        return self

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._body:
                if self.detail is not None and len(self.detail) < MOST_DETAIL_BYTES:
                    self.detail += piece
                yield piece
        except Exception as error:
            self.fail(error)
            raise

    def close(self) -> None:
        """The server is done, or the client is gone."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            noted, self._noted = self._noted, None
            if noted is not None:
                self.seconds = time.perf_counter() - self._began
                noted(self)

    def fail(self, error: BaseException) -> None:
        """An exception has left the application."""
        self.status = 500
        self.exception = type(error).__name__


def _route(environ: Environ) -> str:
    """The template of the route: Flask leaves its request in the environment, Django is asked again."""
    request = environ.get("werkzeug.request")
    if request is not None:
        rule = getattr(request, "url_rule", None)
        return UNMATCHED if rule is None else _CONVERTER.sub(r"{\1}", rule.rule)
    django = sys.modules.get("django.urls")
    if django is None:
        return UNMATCHED
    try:
        route: str = django.resolve(environ.get("PATH_INFO", "/")).route
    except Exception:  # Resolver404, or Django is there and not used.
        return UNMATCHED
    return "/" + _CONVERTER.sub(r"{\1}", route)
