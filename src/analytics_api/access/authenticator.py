"""Finds the caller of a request from its key, or lets the local sandbox in without one."""

from __future__ import annotations

import time
from datetime import datetime
from ipaddress import ip_address

from starlette.requests import HTTPConnection

from analytics_api.access.caller import Caller, Right
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.project import Project
from analytics_api.errors import Forbidden, NotFound, Unauthorized
from analytics_api.store.engine import Database
from analytics_api.store.keys import find_key, hash_key, note_use
from analytics_api.store.projects import DEFAULT, find_project, list_projects

REMEMBER_SECONDS = 5.0
"""How long an answer is kept: a revoked key dies within this time in every process."""

MOST_REMEMBERED = 10_000

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class Authenticator:
    """Looks keys up, remembering the answers for a few seconds."""

    def __init__(self, database: Database, *, open_on_loopback: bool, clock: Clock = system_clock) -> None:
        self._database = database
        self._open_on_loopback = open_on_loopback
        self._clock = clock
        self._callers: dict[bytes, tuple[float, Caller | None]] = {}
        self._projects: dict[str, tuple[float, Project]] = {}
        self._used: dict[int, datetime] = {}

    async def caller(
        self, request: HTTPConnection, *, key: str | None = None, project: str | None = None
    ) -> Caller:
        """Who sent the request. `key`: found in the body; the headers come first. `project`: asked for by name.

        Raises Unauthorized without a valid key, Forbidden for another project than the key's, NotFound for none.
        """
        given = header_key(request) or key
        if given is None:
            if self._open_on_loopback and is_local(request):
                return Caller.local(await self.project(project or DEFAULT))
            raise Unauthorized(headers={"WWW-Authenticate": "Bearer"})
        caller = await self._holder(given)
        if caller is None:
            raise Unauthorized(
                "This API key is unknown, expired or revoked.", headers={"WWW-Authenticate": "Bearer"}
            )
        if project is not None and project != caller.project.slug:
            raise Forbidden(f"This API key belongs to another project than {project!r}.")
        return caller

    async def project(self, slug: str) -> Project:
        """A project by name. Raises NotFound."""
        remembered = self._projects.get(slug)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        async with self._database.read() as connection:
            found = await find_project(connection, slug)
        if found is None:
            raise NotFound(f"There is no project {slug!r}.")
        self._projects[slug] = (time.monotonic() + REMEMBER_SECONDS, found)
        return found

    async def _holder(self, key: str) -> Caller | None:
        digest = hash_key(key)
        remembered = self._callers.get(digest)
        if remembered is not None and remembered[0] > time.monotonic():
            caller = remembered[1]
        else:
            caller = await self._look_up(key)
            if len(self._callers) >= MOST_REMEMBERED:
                self._callers.clear()
            self._callers[digest] = (time.monotonic() + REMEMBER_SECONDS, caller)
        if caller is not None and caller.key_id is not None:
            self._used[caller.key_id] = self._clock()
        return caller

    async def _look_up(self, key: str) -> Caller | None:
        async with self._database.read() as connection:
            found = await find_key(connection, key, self._clock())
            if found is None:
                return None
            projects = {project.id: project for project in await list_projects(connection)}
        return Caller.with_key(projects[found.project_id], found.kind, found.id)

    async def write_last_use(self) -> None:
        """Store when keys were last used; called by a periodic job, never by a request."""
        used, self._used = self._used, {}
        if used:
            async with self._database.write() as connection:
                await note_use(connection, used)


def header_key(request: HTTPConnection) -> str | None:
    """The key in `Authorization: Bearer` or `X-API-Key`."""
    authorization = request.headers.get("authorization")
    if authorization is not None and authorization[:7].lower() == "bearer ":
        return authorization[7:].strip() or None
    return request.headers.get("x-api-key") or None


def is_local(request: HTTPConnection) -> bool:
    """Whether a request was typed at this machine: a local peer, a local Host, and no proxy in between.

    The Host is checked so that a web page cannot reach the sandbox by a name of its own (DNS rebinding).
    """
    if any(name in request.headers for name in _FORWARDED):
        return False
    host = request.headers.get("host", "").rsplit(":", 1)[0].strip("[]")
    return _loopback(host) and (request.client is None or _loopback(request.client.host))


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require(caller: Caller, right: Right) -> Caller:
    """The caller, if it has the right. Raises Forbidden naming the kind of key that has it."""
    if caller.may(right):
        return caller
    kinds = {Right.SEND: "write or server", Right.TRUSTED: "server", Right.READ: "read", Right.ADMIN: "admin"}
    raise Forbidden(
        f"This API key may not {right.value}: use {'an' if right is Right.ADMIN else 'a'} {kinds[right]} key."
    )
