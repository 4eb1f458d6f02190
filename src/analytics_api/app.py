"""Composition root of the web process: opens what the rooms need, mounts their routes, closes everything in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import Depends, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from analytics_api import __version__, control, health, problems
from analytics_api.access.audit_routes import router as audit_router
from analytics_api.access.auth_routes import router as auth_router
from analytics_api.access.authenticator import Authenticator
from analytics_api.access.cors import IntakeCors, ReadCors
from analytics_api.access.headers import SecurityHeaders
from analytics_api.access.key_routes import router as key_router
from analytics_api.access.logins import Logins
from analytics_api.access.member_routes import router as member_router
from analytics_api.access.project_routes import router as project_router
from analytics_api.aggregate.cohort_routes import router as saved_cohort_router
from analytics_api.aggregate.custom_metric_routes import router as custom_metric_router
from analytics_api.aggregate.goal_routes import router as goal_setting_router
from analytics_api.aggregate.routes import router as money_router
from analytics_api.alert.routes import router as alert_router
from analytics_api.deliver.dead_letter_routes import router as dead_letter_router
from analytics_api.deliver.destination_routes import router as destination_router
from analytics_api.deliver.overview_routes import router as overview_router
from analytics_api.deliver.replay_routes import router as replay_router
from analytics_api.deliver.routes import router as deliver_router
from analytics_api.domain.api_request import ApiRequest
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.errors import ConfigurationError, Unprocessable
from analytics_api.ingest.api_requests import ApiRequestRecorder
from analytics_api.ingest.enrichment.addresses import TrustedProxies, client_address
from analytics_api.ingest.enrichment.countries import open_places
from analytics_api.ingest.enrichment.visitors import Enricher
from analytics_api.ingest.flat_routes import router as flat_router
from analytics_api.ingest.front import IntakeFront
from analytics_api.ingest.openapi import operation as intake_operation
from analytics_api.ingest.outbox import OutboxRelay
from analytics_api.ingest.person_routes import router as person_router
from analytics_api.ingest.plan.desk import PlanDesk
from analytics_api.ingest.plan.quarantine_routes import router as quarantine_router
from analytics_api.ingest.plan.routes import router as plan_router
from analytics_api.ingest.privacy.desk import PrivacyDesk
from analytics_api.ingest.service import Intake, IntakeLimits
from analytics_api.ingest.stripe.routes import PATH as STRIPE
from analytics_api.ingest.stripe.routes import StripeRules
from analytics_api.ingest.stripe.routes import router as stripe_router
from analytics_api.ingest.stripe.signature import parse_secrets
from analytics_api.ingest.writer import Writer
from analytics_api.outbound.connections import make_client
from analytics_api.privacy.consent_routes import router as consent_router
from analytics_api.privacy.erasure_routes import router as erasure_router
from analytics_api.privacy.periods import RetentionRules
from analytics_api.privacy.policy_routes import router as policy_router
from analytics_api.privacy.retention_routes import router as retention_router
from analytics_api.query.acquisition_routes import router as acquisition_router
from analytics_api.query.analysis.routes import router as analysis_router
from analytics_api.query.analysis.timeline_routes import router as timeline_router
from analytics_api.query.cohort_routes import router as cohort_router
from analytics_api.query.export.answers import CsvAnswers
from analytics_api.query.export.routes import router as export_router
from analytics_api.query.goal_routes import router as goal_router
from analytics_api.query.live.hub import LiveHub
from analytics_api.query.live.routes import router as live_router
from analytics_api.query.metrics import FigureRules
from analytics_api.query.prediction_routes import router as prediction_router
from analytics_api.query.reports.product_routes import router as product_router
from analytics_api.query.reports.routes import router as report_router
from analytics_api.query.reports.web_routes import router as web_router
from analytics_api.query.routes import router as query_router
from analytics_api.settings import Settings
from analytics_api.show.browser import script_endpoint, script_router
from analytics_api.show.dashboard import PATH as DASHBOARD
from analytics_api.show.dashboard import dashboard_router
from analytics_api.show.reference import reference
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions, make_ahead
from analytics_api.store.projects import DEFAULT, ensure_project
from analytics_api.tracking import ApiTrackingMiddleware, TrafficCounter, sort_requests
from analytics_api.tracking.middleware import SKIPPED, Sink
from analytics_api.worker import Worker, make_services, secret_box

PREFIX = "/api/v1/analytics"
EVENTS = f"{PREFIX}/events"
"""The path that events are posted to; a setting may add another one."""
MOST_BODY_BYTES = 1_048_576
"""Of every other call."""

DESCRIPTION = """
Product analytics that a team runs itself. Events are durable in PostgreSQL before they are acknowledged, handed on to
Amplitude, Mixpanel and others without losing one, and counted into figures that explain themselves.

Send an API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`, or log in (`POST /auth/login`). In sandbox mode on a loopback
address none is asked.
Errors are problem documents (RFC 9457).
"""


class Application(FastAPI):
    """FastAPI, with the intake in front of it: what brings events passes neither router nor middleware."""

    front: IntakeFront | None = None
    refused: ConfigurationError | None = None
    """The setting with which it could not start."""
    intake: frozenset[str] = frozenset({EVENTS})
    """Paths that events are posted to."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if (
            scope["type"] == "http"
            and scope["path"] in self.intake
            and scope["method"] == "POST"
            and self.front is not None
        ):
            await self.front(scope, receive, send)
        elif scope["type"] == "http":
            await super().__call__(scope, _limited(receive), send)
        else:
            await super().__call__(scope, receive, self._without_traceback(send))

    def leave(self) -> None:
        """The server is about to stop: streams, which have no end of their own, end."""
        hub: LiveHub | None = getattr(self.state, "live", None)
        if hub is not None:
            hub.stop()

    def _without_traceback(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and self.refused is not None:
                message["message"] = ""
            await send(message)

        return sent

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the intake, which is no route of FastAPI's, and with the errors of every call."""
        if self.openapi_schema is None:
            document = super().openapi()
            paths = document["paths"]
            document["paths"] = {EVENTS: {"post": intake_operation(), **paths.pop(EVENTS)}, **paths}
            problems.describe(document)
            self.openapi_schema = document
        return self.openapi_schema


def _names_without_nul(request: Request) -> None:
    """Raises Unprocessable: PostgreSQL's texts cannot hold the character, so nothing has such a name."""
    if "\x00" in request.scope["path"] or "\x00" in request.query_params.get("destination", ""):
        raise Unprocessable("The address holds the character U+0000, which no name has.")


def _limited(receive: Receive) -> Receive:
    """A body of at most MOST_BODY_BYTES: FastAPI reads it whole before it asks who is there."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BODY_BYTES:
            raise HTTPException(413, f"The body is larger than {MOST_BODY_BYTES} bytes: send less at once.")
        return message

    return limited


def create_app(settings: Settings, url: str, *, with_worker: bool = False) -> Application:
    """The application on the migrated database at `url`; with the background work inside when asked."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                await _open(app, settings, url, stack, with_worker=with_worker)
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
        dependencies=[Depends(_names_without_nul)],
    )
    app.state.traffic = TrafficCounter()
    for router in (
        query_router,
        prediction_router,
        report_router,
        product_router,
        web_router,
        live_router,
        export_router,
        custom_metric_router,
        acquisition_router,
        cohort_router,
        analysis_router,
        timeline_router,
        goal_router,
        goal_setting_router,
        saved_cohort_router,
        money_router,
        overview_router,
        deliver_router,
        dead_letter_router,
        replay_router,
        destination_router,
        control.router,
        auth_router,
        member_router,
        key_router,
        audit_router,
        project_router,
        alert_router,
        plan_router,
        quarantine_router,
        person_router,
        policy_router,
        retention_router,
        flat_router,
        stripe_router,
        erasure_router,
        consent_router,
    ):
        app.include_router(router, prefix=PREFIX)
    app.include_router(health.router)
    app.add_route("/docs", reference, include_in_schema=False)
    _serve_pages(app, settings)
    app.add_middleware(CsvAnswers, prefix=PREFIX)
    app.add_middleware(
        ApiTrackingMiddleware,
        sink=_sink(app, settings),
        skip=(*SKIPPED, DASHBOARD, settings.browser_script_path),
    )
    app.add_middleware(IntakeCors, paths=app.intake)
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
    app.include_router(script_router(path, endpoint), prefix=PREFIX)
    app.include_router(dashboard_router())


def _sink(app: Application, settings: Settings) -> Sink:
    def track(request: ApiRequest) -> None:
        recorder: ApiRequestRecorder = app.state.recorder
        recorder.add(request)

    return sort_requests(
        track=track if settings.track_api_requests else None,
        count=app.state.traffic.add,
        intake=[f"POST {path}" for path in (*app.intake, PREFIX + STRIPE)],
    )


async def _open(
    app: Application, settings: Settings, url: str, stack: AsyncExitStack, *, with_worker: bool
) -> None:
    """Open everything in the order in which it is needed; the stack closes it in the opposite one."""
    database = Database(url)
    await database.open()
    stack.push_async_callback(database.close)
    partitions = Partitions(settings.partition_interval)
    async with database.acquire() as connection:
        await make_ahead(connection, partitions, system_clock())
    async with database.write() as session:
        await ensure_project(
            session, DEFAULT, time_zone=settings.time_zone, currency=settings.currency, now=system_clock()
        )
    client = await stack.enter_async_context(make_client())
    authenticator = Authenticator(
        database,
        open_on_loopback=settings.sandbox_mode and settings.loopback,
        rates={
            KeyKind.WRITE: settings.write_key_events_per_second,
            KeyKind.SERVER: settings.server_key_events_per_second,
        },
        logins=Logins(
            database,
            idle=timedelta(hours=settings.session_idle_hours),
            lasts=timedelta(days=settings.session_days),
            box=secret_box(settings),
        ),
        query_keys=settings.query_keys,
    )
    authenticator.start()
    stack.push_async_callback(authenticator.stop)
    services = make_services(settings, database, client, partitions=partitions)
    await services.destinations.ensure()
    stack.push_async_callback(services.destinations.close)
    stack.push_async_callback(services.alerts.close)
    stack.push_async_callback(services.rollups.disconnect)

    writer = Writer(database, partitions, queue_bytes=settings.intake_queue_bytes)
    writer.start()
    stack.push_async_callback(writer.close)
    limits = IntakeLimits(settings.max_event_bytes, settings.max_batch_events, settings.max_batch_bytes)

    enricher = Enricher(open_places(settings.geoip_database))
    enricher.warm_up()
    desk = PlanDesk(database, queue_bytes=settings.intake_queue_bytes)
    await desk.start()
    stack.push_async_callback(desk.stop)
    privacy = PrivacyDesk(database)
    await privacy.start()
    stack.push_async_callback(privacy.stop)
    intake = Intake(
        writer,
        limits,
        enabled=settings.enabled,
        keep_pii=settings.enable_pii_tracking,
        enricher=enricher,
        desk=desk,
        privacy=privacy,
    )
    recorder = ApiRequestRecorder(intake)
    recorder.start()
    stack.push_async_callback(recorder.close)
    relay = OutboxRelay(database, intake)
    relay.start()
    stack.push_async_callback(relay.close)
    app.state.traffic.start(database)
    stack.push_async_callback(app.state.traffic.stop)

    app.state.database = database
    app.state.authenticator = authenticator
    proxies = TrustedProxies(settings.trusted_proxies)
    app.state.client_address = lambda request: _client_address(request, proxies)
    app.front = IntakeFront(
        intake,
        authenticator,
        note=_sink(app, settings),
        proxies=proxies,
        body_seconds=settings.client_timeout_seconds,
    )
    app.state.rates = app.front.rates
    app.front.start()
    stack.push_async_callback(app.front.stop)
    app.state.intake = intake
    app.state.recorder = recorder
    app.state.writer = writer
    app.state.partitions = partitions
    app.state.plans = desk.plans
    app.state.privacy = privacy
    app.state.services = services
    app.state.figures = FigureRules(settings.late_days)
    app.state.retention = RetentionRules(settings.data_retention_days, settings.late_days)
    app.state.live = LiveHub(database)
    app.state.stripe = StripeRules(_stripe_secrets(settings))
    app.state.config = _config(settings)
    if with_worker:
        worker = Worker(services)
        worker.start()
        stack.push_async_callback(worker.stop)


def _client_address(request: HTTPConnection, proxies: TrustedProxies) -> str | None:
    peer = request.client.host if request.client is not None else None
    return client_address(peer, request.scope["headers"], proxies)


def _config(settings: Settings) -> control.Config:
    seconds = settings.flush_interval_seconds
    return control.Config(
        enabled=settings.enabled,
        amplitude_configured=settings.amplitude_api_key is not None,
        mixpanel_configured=settings.mixpanel_token is not None,
        pii_tracking_enabled=settings.enable_pii_tracking,
        sandbox_mode=settings.sandbox_mode,
        batch_size=settings.batch_size,
        flush_interval_seconds=int(seconds) if seconds.is_integer() else seconds,
        data_retention_days=settings.data_retention_days,
    )


def _stripe_secrets(settings: Settings) -> dict[str, tuple[str, ...]]:
    secrets = settings.stripe_webhook_secrets
    return {} if secrets is None else parse_secrets(secrets.get_secret_value())
