"""What a room serves, as it declares it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.params import Depends
from starlette.routing import BaseRoute


class Routes(APIRouter):
    """A router whose routes FastAPI works out when they are put into an application.

    One that is included has them worked out twice, when its module is imported and at the first request: 0.2 s each of a start of
    1.6, for all routes of this package. And it is searched as a whole, after others, for every request.
    """

    def __init__(
        self, *, prefix: str = "", tags: list[Any] | None = None, include_in_schema: bool = True
    ) -> None:
        super().__init__(prefix=prefix, tags=tags, include_in_schema=include_in_schema)
        self._declared: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []
        self._placed: dict[tuple[str, Sequence[Depends]], list[BaseRoute]] = {}

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Declare a route, as the decorators do; `options` are those of FastAPI."""
        self._declared.append((path, endpoint, options))

    def paths(self) -> set[str]:
        """Of all routes, without what they are put below."""
        return {self.prefix + path for path, _, _ in self._declared}

    def put_into(self, app: FastAPI, prefix: str = "") -> None:
        """Serve the routes below `prefix`, with the dependencies of the application. They are tried after those it has.

        Applications with the same dependencies share them.
        """
        where = (prefix, tuple(app.router.dependencies))
        if where not in self._placed:
            self._placed[where] = self._place(*where)
        app.router.routes.extend(self._placed[where])

    def _place(self, prefix: str, dependencies: Sequence[Depends]) -> list[BaseRoute]:
        router = APIRouter(
            prefix=prefix + self.prefix,
            tags=self.tags,
            dependencies=dependencies,
            include_in_schema=self.include_in_schema,
        )
        for path, endpoint, options in self._declared:
            router.add_api_route(path, endpoint, **options)
        return router.routes
