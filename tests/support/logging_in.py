"""People who log in to a real server, with what a browser sends along."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from analytics_api.access.passwords import hash_password
from analytics_api.app import create_app
from analytics_api.application import Application
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Role
from analytics_api.settings import Settings
from analytics_api.store.engine import Database
from analytics_api.store.projects import ensure_project
from analytics_api.store.users import User, create_user, set_role
from tests.support.serving import Served, served

API = "/api/v1/analytics"
PASSWORD = "four words with spaces"


@dataclass(frozen=True, slots=True)
class Site:
    """The whole application behind a real server."""

    app: Application
    server: Served

    @property
    def database(self) -> Database:
        """The application's own."""
        database: Database = self.app.state.database
        return database

    @property
    def origin(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server.port}"

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """Somebody's browser, without cookies."""
        async with httpx.AsyncClient(base_url=self.origin, timeout=30, verify=False) as client:
            yield Browser(client)

    async def add(
        self,
        username: str,
        roles: Mapping[str, Role] | None = None,
        *,
        password: str = PASSWORD,
        owner_everywhere: bool = False,
    ) -> User:
        """Make a user; `roles` by project, which is made if it is not there."""
        now = system_clock()
        async with self.database.write() as connection:
            user = await create_user(
                connection, username, hash_password(password), owner_everywhere=owner_everywhere, now=now
            )
            for slug, role in (roles or {}).items():
                project = await ensure_project(connection, slug, now=now)
                await set_role(connection, user.id, project.id, role, now)
        return user


class Browser:
    """A client with a cookie jar that sends what the dashboard's page would."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.csrf: str | None = None

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A request of the dashboard's page."""
        sent = {"Sec-Fetch-Site": "same-origin"}
        if method != "GET":
            sent["Origin"] = str(self.client.base_url).rstrip("/")
            if self.csrf is not None:
                sent["X-CSRF-Token"] = self.csrf
        return await self.client.request(method, API + path, json=body, headers={**sent, **(headers or {})})

    async def get(self, path: str) -> httpx.Response:
        """GET."""
        return await self.call("GET", path)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        """POST."""
        return await self.call("POST", path, body)

    async def log_in(self, username: str, password: str = PASSWORD) -> httpx.Response:
        """POST /auth/login; keeps the token for writes."""
        answer = await self.post("/auth/login", {"username": username, "password": password})
        if answer.status_code == 200:
            self.csrf = answer.json()["csrf_token"]
        return answer


@asynccontextmanager
async def running_site(url: str, **settings: Any) -> AsyncIterator[Site]:
    """The application with these settings."""
    app = create_app(Settings(_env_file=None, **settings), url)
    async with app.router.lifespan_context(app), served(app) as server:
        yield Site(app, server)
