"""Opens what the rooms of the web process need, in the order in which it is needed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta

from starlette.requests import HTTPConnection

from analytics_api import control
from analytics_api.access.authenticator import Authenticator
from analytics_api.access.logins import Logins
from analytics_api.application import EVENTS, PREFIX, Application
from analytics_api.configured import secret_box
from analytics_api.domain.api_request import ApiRequest
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.ingest.api_requests import ApiRequestRecorder
from analytics_api.ingest.enrichment.addresses import TrustedProxies, client_address
from analytics_api.ingest.enrichment.countries import open_places
from analytics_api.ingest.enrichment.visitors import Enricher
from analytics_api.ingest.front import IntakeFront
from analytics_api.ingest.outbox import OutboxRelay
from analytics_api.ingest.plan.desk import PlanDesk
from analytics_api.ingest.privacy.desk import PrivacyDesk
from analytics_api.ingest.service import Intake, IntakeLimits
from analytics_api.ingest.stripe.routes import PATH as STRIPE
from analytics_api.ingest.stripe.routes import StripeRules
from analytics_api.ingest.stripe.signature import parse_secrets
from analytics_api.ingest.writer import Writer
from analytics_api.outbound.connections import make_client
from analytics_api.privacy.periods import RetentionRules
from analytics_api.query.live.hub import LiveHub
from analytics_api.query.metrics import FigureRules
from analytics_api.settings import Settings
from analytics_api.show.self_tracking import self_tracking
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions, make_ahead
from analytics_api.store.projects import DEFAULT, ensure_project
from analytics_api.tracking import sort_requests
from analytics_api.tracking.middleware import Sink
from analytics_api.worker import Worker, make_services


async def open_rooms(
    app: Application, settings: Settings, url: str, stack: AsyncExitStack, *, with_worker: bool
) -> None:
    """Open everything; the stack closes it in the opposite order. Raises ConfigurationError naming the setting."""
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
    app.state.database = database
    app.state.partitions = partitions
    app.state.dashboard_scripts = await _dashboard_scripts(settings, database)
    app.state.authenticator = _open_access(settings, database, stack)
    client = await stack.enter_async_context(make_client())
    services = make_services(settings, database, client, partitions=partitions)
    await services.destinations.ensure()
    stack.push_async_callback(services.destinations.close)
    stack.push_async_callback(services.alerts.close)
    stack.push_async_callback(services.rollups.disconnect)
    app.state.services = services
    app.state.traffic.start(database)
    stack.push_async_callback(app.state.traffic.stop)
    await _open_intake(app, settings, stack)
    app.state.figures = FigureRules(settings.late_days)
    app.state.retention = RetentionRules(settings.data_retention_days, settings.late_days)
    app.state.live = LiveHub(database)
    app.state.stripe = StripeRules(_stripe_secrets(settings))
    app.state.config = _config(settings)
    if with_worker:
        worker = Worker(services)
        worker.start()
        stack.push_async_callback(worker.stop)


async def _dashboard_scripts(settings: Settings, database: Database) -> bytes:
    if not settings.track_dashboard:
        return b""
    async with database.write() as connection:
        return await self_tracking(
            connection,
            script=settings.browser_script_path,
            endpoint=settings.collect_path or EVENTS,
            time_zone=settings.time_zone,
            currency=settings.currency,
        )


def _open_access(settings: Settings, database: Database, stack: AsyncExitStack) -> Authenticator:
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
    return authenticator


async def _open_intake(app: Application, settings: Settings, stack: AsyncExitStack) -> None:
    """The way of events into the log, and those of this package that use it."""
    database: Database = app.state.database
    writer = Writer(database, app.state.partitions, queue_bytes=settings.intake_queue_bytes)
    writer.start()
    stack.push_async_callback(writer.close)
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
        IntakeLimits(settings.max_event_bytes, settings.max_batch_events, settings.max_batch_bytes),
        enabled=settings.enabled,
        keep_pii=settings.enable_pii_tracking,
        enricher=enricher,
        desk=desk,
        privacy=privacy,
        others_wait=database.is_answering,
    )
    recorder = ApiRequestRecorder(intake)
    recorder.start()
    stack.push_async_callback(recorder.close)
    relay = OutboxRelay(database, intake)
    relay.start()
    stack.push_async_callback(relay.close)
    proxies = TrustedProxies(settings.trusted_proxies)
    app.front = IntakeFront(
        intake,
        app.state.authenticator,
        note=request_sink(app, settings),
        proxies=proxies,
        body_seconds=settings.client_timeout_seconds,
    )
    app.front.start()
    stack.push_async_callback(app.front.stop)
    app.state.client_address = lambda request: _client_address(request, proxies)
    app.state.rates = app.front.rates
    app.state.intake = intake
    app.state.recorder = recorder
    app.state.writer = writer
    app.state.plans = desk.plans
    app.state.privacy = privacy


def request_sink(app: Application, settings: Settings) -> Sink:
    """Where what is noted of requests goes."""

    def track(request: ApiRequest) -> None:
        recorder: ApiRequestRecorder = app.state.recorder
        recorder.add(request)

    return sort_requests(
        track=track if settings.track_api_requests else None,
        count=app.state.traffic.add,
        intake=[f"POST {path}" for path in (*app.intake, PREFIX + STRIPE)],
    )


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
