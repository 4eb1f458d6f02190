"""Finds the caller of a request from its key or login, or lets the local sandbox in without one."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Generic, TypeVar

from starlette.requests import HTTPConnection

from analytics_api.access.caller import Caller, Right
from analytics_api.access.local import is_foreign_page, is_local
from analytics_api.access.logins import Login, Logins
from analytics_api.access.shares import Shares
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.project import KeyKind, Project
from analytics_api.errors import Forbidden, NotFound, Unauthorized
from analytics_api.store.engine import Database
from analytics_api.store.keys import find_key, hash_key, note_use
from analytics_api.store.projects import DEFAULT, find_project, list_projects

logger = logging.getLogger(__name__)

REMEMBER_SECONDS = 5.0
"""How long an answer is kept: a revoked key dies within this time in every process."""

MOST_REMEMBERED = 10_000
"""Answers kept at most, of valid and of invalid keys each (measured: 3.3 and 1.6 MB)."""

LOOK_UPS = 3
"""Keys and projects looked up at the same time: a flood of unknown ones leaves the rest of the pool (10) to others."""

WRITE_SECONDS = 30.0
"""Between two times that the last use of keys is stored; the event loop never waits for it."""

LONGEST_KEY = 103
_KEY = re.compile(r"[a-z]{2}_[A-Za-z0-9_-]{20,100}")
"""What a key looks like; anything else is refused without asking the database."""

_CHALLENGE = {"WWW-Authenticate": "Bearer"}

K = TypeVar("K")
V = TypeVar("V")


class _Memory(Generic[K, V]):
    """Values that are forgotten after REMEMBER_SECONDS; when it is full, the oldest goes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._values: dict[K, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        found = self._values.get(key)
        return found[1] if found is not None and found[0] > self._monotonic() else None

    def put(self, key: K, value: V) -> None:
        self._values.pop(key, None)
        if len(self._values) >= MOST_REMEMBERED:
            del self._values[next(iter(self._values))]
        self._values[key] = (self._monotonic() + REMEMBER_SECONDS, value)


class Authenticator:
    """Looks keys up, remembering the answers for a few seconds."""

    def __init__(
        self,
        database: Database,
        *,
        open_on_loopback: bool,
        rates: Mapping[KeyKind, int] | None = None,
        logins: Logins | None = None,
        query_keys: bool = True,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._open_on_loopback = open_on_loopback
        self._rates = rates or {}
        self._query_keys = query_keys
        self._digest = lru_cache(MOST_REMEMBERED)(hash_key)
        """Remembered: 2 % of a request with one event."""
        self.logins = logins or Logins(database, clock=clock)
        self.shares = Shares(database, self.logins.passwords, clock)
        self._clock = clock
        self._callers: _Memory[bytes, Caller] = _Memory(monotonic)
        # Apart from the valid ones, so that made-up keys cannot push those out.
        self._unknown: _Memory[bytes, bool] = _Memory(monotonic)
        self._projects: _Memory[str, Project] = _Memory(monotonic)
        self._origins: _Memory[str, frozenset[str]] = _Memory(monotonic)
        self._looking_up = asyncio.Semaphore(LOOK_UPS)
        self._used: dict[int, datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    async def caller(
        self, request: HTTPConnection, *, key: str | None = None, project: str | None = None
    ) -> Caller:
        """Who sent the request. `key`: found in the body; the headers come first. `project`: asked for by name.

        Raises Unauthorized without a valid key or login, Forbidden for another project than the key's or the user's and for a
        write by cookie without its CSRF token, NotFound for no project.
        """
        given = header_key(request) or key
        if given is None and "key" in request.query_params:
            return await self._reader(request, request.query_params["key"], project)
        login = await self.login(request) if given is None else None
        if given is None and (viewer := await self._viewer(request, login, project)):
            return viewer
        return await (self._user(login, project) if login else self.holder(request, given, project))

    async def _viewer(
        self, request: HTTPConnection, login: Login | None, project: str | None
    ) -> Caller | None:
        """Who looks through a share link, and may not see the project otherwise."""
        if login is None and self.is_open_to(request):
            return None
        viewer = await self.shares.find(request)
        if viewer is None or (project is not None and project != viewer.project_slug):
            return None
        if login is not None and viewer.project_slug in {each.slug for each in login.memberships}:
            return None
        return Caller.shared(await self.project(viewer.project_slug), viewer.share_id)

    async def _reader(self, request: HTTPConnection, given: str, project: str | None) -> Caller:
        """The holder of a key in the address, which only read keys may stand in: addresses end up in logs and histories."""
        if not self._query_keys:
            raise Unauthorized(
                "Keys in the address are switched off here; send the key as 'Authorization: Bearer KEY'.",
                headers=_CHALLENGE,
            )
        caller = await self.holder(request, given, project)
        if not caller.rights <= {Right.FIGURES, Right.READ}:
            raise Forbidden(
                "key: only a read key may stand in the address; send this one as 'Authorization: Bearer KEY' and replace "
                "it, because addresses end up in logs."
            )
        return caller

    async def login(self, request: HTTPConnection) -> Login | None:
        """The login that a request's cookie stands for. Raises Forbidden for a write without its CSRF token."""
        async with self._looking_up:
            return await self.logins.find(request)

    async def _user(self, login: Login, project: str | None) -> Caller:
        mine = {membership.slug: membership for membership in login.memberships}
        slug = project or (DEFAULT if DEFAULT in mine else next(iter(mine), DEFAULT))
        if slug not in mine:
            # Whether there is such a project is none of the caller's business.
            raise Forbidden(f"project: you are no member of {slug!r}; ask one of its owners to invite you.")
        return Caller.logged_in(
            await self.project(slug), mine[slug].role, login.user.id, everywhere=login.user.owner_everywhere
        )

    async def holder(self, request: HTTPConnection, given: str | None, project: str | None) -> Caller:
        """As `caller`, for a key that has been looked for already; cookies do not count."""
        if given is None:
            return await self._without_key(request, project or DEFAULT)
        caller = await self._holder(given)
        if caller is None:
            raise Unauthorized("This API key is unknown, expired or revoked.", headers=_CHALLENGE)
        if project is not None and project != caller.project.slug:
            # Whether the other project exists is none of the caller's business.
            raise Forbidden(
                f"project: this API key belongs to {caller.project.slug!r}; leave the parameter out or use another key."
            )
        return caller

    async def _without_key(self, request: HTTPConnection, project: str) -> Caller:
        if not self.is_open_to(request):
            raise Unauthorized(headers=_CHALLENGE)
        found = await self.project(project)
        return Caller.local_page(found) if is_foreign_page(request) else Caller.local(found)

    async def allows(self, origin: str) -> bool:
        """Whether any project names an origin."""
        found = self._origins.get("all")
        if found is None:
            async with self._database.read() as connection:
                found = frozenset[str]().union(
                    *(one.allowed_origins for one in await list_projects(connection))
                )
            self._origins.put("all", found)
        return origin in found

    def is_open_to(self, request: HTTPConnection) -> bool:
        """Whether a request needs no key: sandbox mode, at this machine."""
        return self._open_on_loopback and is_local(request)

    async def project(self, slug: str) -> Project:
        """A project by name. Raises NotFound."""
        found = self._projects.get(slug)
        if found is None:
            async with self._looking_up:
                # While this request waited for its turn another one may have had the answer.
                found = self._projects.get(slug) or await self._find_project(slug)
        return found

    async def _find_project(self, slug: str) -> Project:
        async with self._database.read() as connection:
            found = await find_project(connection, slug)
        if found is None:
            raise NotFound(f"There is no project {slug!r}.")
        self._projects.put(slug, found)
        return found

    def known_holder(self, key: str) -> Caller | None:
        """The holder of a key that was looked up lately."""
        if len(key) > LONGEST_KEY:
            return None
        caller = self._callers.get(self._digest(key))
        if caller is not None and caller.key_id is not None:
            self._used[caller.key_id] = self._clock()
        return caller

    async def _holder(self, key: str) -> Caller | None:
        if not _KEY.fullmatch(key):
            return None
        digest = self._digest(key)
        caller = self._callers.get(digest)
        if caller is None and self._unknown.get(digest) is None:
            async with self._looking_up:
                caller = await self._look_up(key, digest)
        if caller is not None and caller.key_id is not None:
            self._used[caller.key_id] = self._clock()
        return caller

    async def _look_up(self, key: str, digest: bytes) -> Caller | None:
        # While this request waited for its turn another one may have had the answer.
        caller = self._callers.get(digest)
        if caller is not None or self._unknown.get(digest) is not None:
            return caller
        async with self._database.read() as connection:
            found = await find_key(connection, key, self._clock())
            if found is None:
                self._unknown.put(digest, True)
                return None
            projects = {project.id: project for project in await list_projects(connection)}
        rate = found.events_per_second
        caller = Caller.with_key(
            projects[found.project_id],
            found.kind,
            found.id,
            events_per_second=self._rates.get(found.kind, 0) if rate is None else rate,
        )
        self._callers.put(digest, caller)
        return caller

    def start(self) -> None:
        """Begin to store now and then when keys were last used."""
        self._writing = asyncio.create_task(self._write_now_and_then(), name="key-use")

    async def stop(self) -> None:
        """Store it once more and end."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._try_to_write()

    async def _write_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self._try_to_write()

    async def _try_to_write(self) -> None:
        try:
            await self.write_last_use()
        except Exception as error:
            # The next time, or never: a database that is away must not end anything.
            logger.warning("the last use of API keys could not be stored: %s", error)

    async def write_last_use(self) -> None:
        """Store when keys were last used."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            async with self._database.write() as connection:
                await note_use(connection, used)
        except BaseException:
            self._used = {**used, **self._used}
            raise


def header_key(request: HTTPConnection) -> str | None:
    """The key in `Authorization: Bearer` or `X-API-Key`."""
    authorization = request.headers.get("authorization", "")
    bearer = authorization[7:].strip() if authorization[:7].lower() == "bearer " else ""
    return bearer or request.headers.get("x-api-key", "").strip() or None


_KEYS = {
    Right.SEND: "a write or server",
    Right.TRUSTED: "a server",
    Right.FIGURES: "a read or admin",
    Right.READ: "a read or admin",
    Right.EDIT: "an admin",
    Right.ADMIN: "an admin",
}


def require(caller: Caller, right: Right) -> Caller:
    """The caller, if it has the right. Raises Forbidden naming the kind of key or the role that has it."""
    if caller.may(right):
        return caller
    if caller.is_shared:
        raise Forbidden(f"A share link may not {right.value}: it shows figures alone.")
    if caller.role is not None:
        needed = "an editor or owner" if right is Right.EDIT else "an owner"
        raise Forbidden(
            f"As {caller.role.value} of {caller.project.slug!r} you may not {right.value}: ask {needed}."
        )
    who = "This API key" if caller.key_id is not None else "A page of another origin without a key"
    raise Forbidden(f"{who} may not {right.value}: use {_KEYS[right]} key.")
