"""`format=csv`, `jsonl` or `parquet`, or the media type in `Accept`, on any call that answers JSON and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import parse_qs

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics_api.errors import Unprocessable
from analytics_api.problems import response_to
from analytics_api.query.export.described import described_columns, operation_of
from analytics_api.query.export.formats import JSON, MEDIA_TYPES, Format
from analytics_api.query.export.tables import as_table

MAIN_TABLES = {
    "trends": ("series.values.points", "series.points"),
    "funnel": ("steps",),
    "retention": ("cohorts.cells",),
    "journeys": ("links",),
    "lifecycle": ("points",),
    "experiment": ("metrics.results",),
}
"""The lists of analyses that are meant when no other is asked for."""


class TableAnswers:
    """Turns JSON answers to GET below `prefix`, and to analyses, into tables when that is asked for; errors stay what they are."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self._prefix = f"{prefix}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = None
        if scope["type"] == "http" and self._answers(scope):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("format", [])
            if any(each not in (JSON, *Format) for each in given) and not self._means_its_own(scope):
                wrong = Unprocessable(f"format: use one of {', '.join((JSON, *Format))}.")
                await response_to(wrong)(scope, receive, send)
                return
            kind = _wanted(scope, given)
        if kind is None:
            await self.app(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        main = MAIN_TABLES.get(scope["path"].rpartition(f"{self._prefix}analysis/")[2], ())
        exchange = _Exchange(send, query.get("table", [None])[0], kind, main)
        await self.app(scope, receive, exchange.send)
        if exchange.is_json:
            described = partial(described_columns, scope["app"].openapi(), *_call(scope))
            await exchange.answer(described)(scope, receive, send)

    def _answers(self, scope: Scope) -> bool:
        path: str = scope["path"]
        method: str = scope["method"]
        return path.startswith(self._prefix) and (
            method == "GET" or (method == "POST" and path.startswith(f"{self._prefix}analysis/"))
        )

    @staticmethod
    def _means_its_own(scope: Scope) -> bool:
        """Whether the call has a parameter `format` of its own, or is none that is described."""
        operation = operation_of(scope["app"].openapi()["paths"], *_call(scope))
        return not operation or any(each["name"] == "format" for each in operation.get("parameters", []))


def _call(scope: Scope) -> tuple[str, str]:
    path: str = scope["path"]
    return scope["method"].lower(), path.removeprefix(scope.get("root_path", ""))


def _wanted(scope: Scope, given: Sequence[str]) -> Format | None:
    """In which form a table is asked for; None: JSON. `given`: what `format` says, which may be a format of what is counted."""
    says = [each for each in given if each in (JSON, *Format)]
    accepted = Headers(scope=scope).get("accept", "").lstrip().lower()
    for kind, media_type in MEDIA_TYPES.items():
        if says == [kind.value] or (not says and accepted.startswith(media_type.partition(";")[0])):
            return kind
    return None


class _Exchange:
    """Holds a JSON answer back, passes anything else on."""

    def __init__(self, send: Send, table: str | None, kind: Format, main: Sequence[str]) -> None:
        self.is_json = False
        self._send = send
        self._table = table
        self._kind = kind
        self._main = main
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        """A message of the application."""
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            self.is_json = message["status"] == 200 and kind.startswith("application/json")
            self._start = message
        if not self.is_json:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    def answer(self, columns: Callable[[str], list[str]]) -> Response:
        """The same as a table. `columns`: of a list that is empty, by its path."""
        try:
            table = as_table(orjson.loads(self._body), self._table, columns, self._main).written(self._kind)
        except Unprocessable as error:
            return response_to(error)
        response = Response(table, media_type=MEDIA_TYPES[self._kind])
        kept = [
            (name, value)
            for name, value in self._start["headers"]
            if name.lower() not in (b"content-type", b"content-length")
        ]
        response.raw_headers += kept
        return response
