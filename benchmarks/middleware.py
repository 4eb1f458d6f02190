"""What a request costs more with each way of watching it: ours, prometheus-fastapi-instrumentator, OpenTelemetry's.

One FastAPI application a way, called in this process without a network, in turn, so that what the machine does meanwhile
meets all of them. What is compared is processor time of this process, which for us has all the sending in it (to a server in
another process that answers at once); spans and metrics of the others are made and kept in memory, and go nowhere.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import httpx
from analytics_client import AsyncAnalyticsClient
from analytics_client.asgi import AnalyticsMiddleware
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator

from benchmarks.bare import free_port

App = Callable[[Any, Any, Any], Awaitable[None]]


class _Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def _bare() -> FastAPI:
    app = FastAPI()

    @app.get("/users/{user}")
    async def user(user: str) -> dict[str, str]:
        return {"user": user}

    return app


def _instrumentator() -> App:
    app = _bare()
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def _opentelemetry() -> App:
    app = _bare()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(_Nowhere()))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
    return app


@contextmanager
def _receiver() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.middleware", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


async def _take(scope: Any, receive: Any, send: Any) -> None:
    """Answers as the server does when it has taken everything."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = json.dumps({"accepted": 1, "duplicates": 0, "rejected": 0, "results": []}).encode()
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def _seconds(app: App, requests: int, client: AsyncAnalyticsClient | None) -> float:
    """Processor time for one request, the mean of many, until the client, if any, has sent everything."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_message: Any) -> None:
        return

    began = time.process_time()
    for number in range(requests):
        path = f"/users/{number}"
        await app(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "root_path": "",
                "headers": [(b"host", b"test")],
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 80),
                "state": {},
            },
            receive,
            send,
        )
    if client is not None:
        await client.flush(60)
    return (time.process_time() - began) / requests


async def measure(rounds: int, requests: int) -> dict[str, float]:
    """Microseconds that a request takes: `bare` in all, the others more than that."""
    with _receiver() as url, tempfile.TemporaryDirectory() as folder:
        clients = {
            "ours": AsyncAnalyticsClient(url, spool=f"{folder}/ours"),
            "ours, in memory": AsyncAnalyticsClient(url, spool=False, max_queue=1_000_000),
            "ours, summed up": AsyncAnalyticsClient(url, spool=f"{folder}/sums"),
        }
        apps: dict[str, App] = {"bare": _bare()}
        for name, client in clients.items():
            every = 60 if name == "ours, summed up" else None
            apps[name] = AnalyticsMiddleware(_bare(), client, aggregate_seconds=every)
        apps |= {"instrumentator": _instrumentator(), "OpenTelemetry": _opentelemetry()}
        taken: dict[str, list[float]] = {name: [] for name in apps}
        for number in range(rounds + 1):
            for name, app in apps.items():
                seconds = await _seconds(app, requests, clients.get(name))
                if number:  # The first round warms up.
                    taken[name].append(seconds)
        for client in clients.values():
            await client.close(60)
            if client.stats.sent != client.stats.queued:
                raise SystemExit(f"{client.stats.queued} events were tracked and {client.stats.sent} arrived")
    bare = taken.pop("bare")
    more = {
        name: median(mine - base for mine, base in zip(times, bare, strict=True)) * 1e6
        for name, times in taken.items()
    }
    return {"bare": median(bare) * 1e6, **more}


def report(rounds: int, requests: int) -> str:
    """A line for people."""
    figures = asyncio.run(measure(rounds, requests))
    bare = figures.pop("bare")
    shown = "  ".join(f"{name} +{figure:.0f}" for name, figure in figures.items())
    ratio = figures["ours"] / min(figures["instrumentator"], figures["OpenTelemetry"])
    return f"bare {bare:.0f} us  {shown}  ratio {ratio:.2f} (wanted below 1.00)"


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(_take, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", lifespan="off")
