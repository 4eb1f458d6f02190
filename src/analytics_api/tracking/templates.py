"""From an answered request to its route's template: `/users/{id}`, never `/users/17`, which may name a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import fastapi.routing
from starlette.convertors import CONVERTOR_TYPES
from starlette.routing import BaseRoute, Host, Mount

UNMATCHED = "(unmatched)"

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")


class RouteTemplates:
    """The templates of an application's routes, those of mounted and included ones with their prefix.

    Routers leave the endpoint in the scope, which finds the template without matching the path again; only an
    endpoint that serves several paths needs that.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        # By id: Starlette's Router, a possible endpoint of a mount, has no hash. The application keeps them all alive.
        self._by_endpoint: dict[int, list[tuple[re.Pattern[str], str]]] = {}
        self._all: list[tuple[re.Pattern[str], str]] = []
        for endpoint, path in _flatten(routes, ""):
            pattern, template = _compile(path)
            self._by_endpoint.setdefault(id(endpoint), []).append((pattern, template))
            self._all.append((pattern, template))

    def find(self, endpoint: object | None, path: str) -> str:
        """The template of the route that has taken a path; `(unmatched)` when none has.

        `endpoint` is what the router left in the scope. Without one the path is matched against all routes, because
        a middleware in between may have copied the scope.
        """
        candidates = self._all if endpoint is None else self._by_endpoint.get(id(endpoint), [])
        if endpoint is not None and len(candidates) == 1:
            return candidates[0][1]
        for pattern, template in candidates:
            if pattern.fullmatch(path):
                return template
        return UNMATCHED


def _compile(path: str) -> tuple[re.Pattern[str], str]:
    """What a path with parameters matches, and the path without their types. Names may repeat, as in mounts."""
    pattern = ""
    end = 0
    for parameter in _PARAMETER.finditer(path):
        convertor = CONVERTOR_TYPES[parameter[2] or "str"]
        pattern += f"{re.escape(path[end : parameter.start()])}(?:{convertor.regex})"
        end = parameter.end()
    return re.compile(pattern + re.escape(path[end:])), _PARAMETER.sub(r"{\1}", path)


def _flatten(routes: Iterable[BaseRoute], prefix: str) -> Iterator[tuple[object, str]]:
    for route in _with_prefixes(routes):
        original = getattr(route, "original_route", route)
        path = getattr(route, "path", None)
        if isinstance(original, Mount):
            # What a mounted application does not name itself is known by the mount.
            yield original.app, f"{prefix}{path}/{{path:path}}"
            yield from _flatten(original.routes, f"{prefix}{path}")
        elif isinstance(original, Host):
            yield from _flatten(original.routes, prefix)
        elif isinstance(path, str):
            yield getattr(route, "endpoint", None), prefix + path


def _with_prefixes(routes: Iterable[BaseRoute]) -> Iterable[Any]:
    """Routes with the prefix under which their router was included; a FastAPI without such contexts lists them with it."""
    contexts = getattr(fastapi.routing, "iter_route_contexts", None)
    return routes if contexts is None else contexts(list(routes))
