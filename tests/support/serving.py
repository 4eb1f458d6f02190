"""An ASGI application behind a real uvicorn on loopback, in the loop of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import uvicorn
from starlette.types import ASGIApp

from analytics_api.application import Application
from analytics_api.http_connections import Connections
from analytics_api.http_protocol import HttpProtocol


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its port and a client with its address as base URL."""

    port: int
    client: httpx.AsyncClient

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare TCP connection, for what no well-behaved client does."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def served(app: ASGIApp, *, root_path: str = "") -> AsyncIterator[Served]:
    """Run an application until the block ends. With a root path uvicorn puts it before every path, as a proxy would."""
    shared = Connections(immediate=app if isinstance(app, Application) else None)
    config = uvicorn.Config(
        app,
        http=partial(HttpProtocol, shared=shared),  # type: ignore[arg-type]
        host="127.0.0.1",
        port=0,
        root_path=root_path,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    # uvicorn's own loop also writes the Date header; without it nothing else is missing.
    ticking = asyncio.create_task(server.main_loop())
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, verify=False) as client:
            yield Served(port, client)
    finally:
        server.should_exit = True
        await ticking
        await server.shutdown()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; the test's own time limit is pytest's patience (30 s)."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)
