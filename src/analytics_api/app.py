"""Composition root of the web process: opens what the rooms need, mounts their routes, closes everything in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Depends, FastAPI

from analytics_api import __version__, health, problems
from analytics_api.access.cors import IntakeCors, ReadCors
from analytics_api.access.headers import SecurityHeaders
from analytics_api.application import EVENTS, PREFIX, Application, names_without_nul
from analytics_api.errors import ConfigurationError
from analytics_api.ingest import flat_routes
from analytics_api.opening import open_rooms, request_sink
from analytics_api.query.export.answers import TableAnswers
from analytics_api.routers import ROUTERS
from analytics_api.settings import Settings
from analytics_api.show.browser import script_endpoint, script_router
from analytics_api.show.dashboard import PATH as DASHBOARD
from analytics_api.show.dashboard import dashboard_router
from analytics_api.show.reference import reference
from analytics_api.tracking import ApiTrackingMiddleware, TrafficCounter
from analytics_api.tracking.middleware import SKIPPED

DESCRIPTION = """
Product analytics that a team runs itself. Events are durable in PostgreSQL before they are acknowledged, handed on to
Amplitude, Mixpanel and others without losing one, and counted into figures that explain themselves.

Send an API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`, or log in (`POST /auth/login`). In sandbox mode on a loopback
address none is asked.
Errors are problem documents (RFC 9457).
"""


def create_app(settings: Settings, url: str, *, with_worker: bool = False) -> Application:
    """The application on the migrated database at `url`; with the background work inside when asked."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                await open_rooms(app, settings, url, stack, with_worker=with_worker)
            except ConfigurationError as error:
                app.refused = error
                raise
            yield

    app = Application(
        title="Analytics API",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # Our own /docs has a strict policy, which the usual pages' scripts do not keep.
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(names_without_nul)],
    )
    app.state.traffic = TrafficCounter()
    for router in ROUTERS:
        router.put_into(app, PREFIX)
    health.router.put_into(app)
    app.add_route("/docs", reference, include_in_schema=False)
    _serve_pages(app, settings)
    app.add_middleware(TableAnswers, prefix=PREFIX)
    app.add_middleware(
        ApiTrackingMiddleware,
        sink=request_sink(app, settings),
        skip=(*SKIPPED, DASHBOARD, settings.browser_script_path),
    )
    app.add_middleware(IntakeCors, paths=app.intake | {PREFIX + path for path in flat_routes.router.paths()})
    app.add_middleware(ReadCors, allows=lambda origin: app.state.authenticator.allows(origin))
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    return app


def _serve_pages(app: Application, settings: Settings) -> None:
    """The script for pages, and the path to which it may send; the dashboard."""
    endpoint = settings.collect_path or EVENTS
    app.intake = frozenset({EVENTS, endpoint})
    path = settings.browser_script_path
    app.add_api_route(path, script_endpoint(), methods=["GET", "HEAD"], include_in_schema=False)
    script_router(path, endpoint).put_into(app, PREFIX)
    dashboard_router().put_into(app)
