"""Who is let in: keys with their rights, and the sandbox for requests typed at this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from starlette.requests import HTTPConnection

from analytics_api.access import authenticator as module
from analytics_api.access.authenticator import REMEMBER_SECONDS, Authenticator, require
from analytics_api.access.caller import Caller, Right
from analytics_api.domain.project import KeyKind, Project
from analytics_api.errors import AnalyticsError, Forbidden, NotFound, Unauthorized
from analytics_api.store.engine import Database
from analytics_api.store.keys import create_key, list_keys, revoke_key
from tests.support.events import make_project, open_database

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class Time:
    """A clock and a monotonic counter that move when the test says so."""

    def __init__(self) -> None:
        self.passed = 0.0

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return 1000.0 + self.passed


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def project(database: Database) -> Project:
    return await make_project(database)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def closed(database: Database, time: Time) -> Authenticator:
    """As anywhere but in sandbox mode on loopback."""
    return Authenticator(database, open_on_loopback=False, clock=time.clock, monotonic=time.monotonic)


@pytest.fixture
def sandbox(database: Database, time: Time) -> Authenticator:
    return Authenticator(database, open_on_loopback=True, clock=time.clock, monotonic=time.monotonic)


def connection(
    *headers: tuple[str, str], client: tuple[str, int] | None = ("127.0.0.1", 5), host: str = "localhost:8000"
) -> HTTPConnection:
    """A request as the server sees it."""
    named = [("host", host), *headers] if host else list(headers)
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named],
        "client": client,
    }
    return HTTPConnection(scope)


def bearing(key: str) -> HTTPConnection:
    return connection(("authorization", f"Bearer {key}"), client=("203.0.113.9", 5), host="stats.example")


async def make_key(
    database: Database, project: Project, kind: KeyKind = KeyKind.WRITE, expires_at: datetime | None = None
) -> str:
    async with database.write() as session:
        return await create_key(session, project.id, kind, expires_at=expires_at, now=NOW)


@pytest.mark.parametrize(
    ("kind", "rights"),
    [
        (KeyKind.WRITE, {Right.SEND}),
        (KeyKind.SERVER, {Right.SEND, Right.TRUSTED}),
        (KeyKind.READ, {Right.READ, Right.FIGURES}),
        (KeyKind.ADMIN, set(Right)),
    ],
)
async def test_a_key_gives_the_rights_of_its_kind(
    database: Database, project: Project, closed: Authenticator, kind: KeyKind, rights: set[Right]
) -> None:
    caller = await closed.caller(bearing(await make_key(database, project, kind)))
    assert caller.project == project
    assert caller.rights == rights
    for right in Right:
        if right in rights:
            assert require(caller, right) is caller
        else:
            with pytest.raises(Forbidden, match="may not"):
                require(caller, right)


async def test_a_refusal_names_the_kind_of_key_that_would_do(project: Project) -> None:
    with pytest.raises(Forbidden, match="may not read figures and events: use a read or admin key"):
        require(Caller.with_key(project, KeyKind.WRITE, 1), Right.READ)
    with pytest.raises(Forbidden, match="may not send events: use a write or server key"):
        require(Caller.with_key(project, KeyKind.READ, 1), Right.SEND)


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Bearer {key}")],
        [("authorization", "bearer  {key} ")],
        [("x-api-key", "{key}")],
        [("authorization", "Basic dXNlcjpwYXNz"), ("x-api-key", "{key}")],
        [("authorization", "Bearer "), ("x-api-key", "{key}")],
    ],
)
async def test_a_key_may_come_in_either_header(
    database: Database, project: Project, closed: Authenticator, headers: list[tuple[str, str]]
) -> None:
    key = await make_key(database, project)
    request = connection(*((name, value.format(key=key)) for name, value in headers))
    assert (await closed.caller(request)).project == project


async def test_a_key_in_the_body_counts_and_the_header_comes_first(
    database: Database, project: Project, closed: Authenticator
) -> None:
    write, read = await make_key(database, project), await make_key(database, project, KeyKind.READ)
    assert (await closed.caller(connection(), key=write)).may(Right.SEND)
    assert (await closed.caller(bearing(read), key=write)).may(Right.READ)
    with pytest.raises(Unauthorized):
        await closed.caller(bearing("wk_" + "x" * 43), key=write)


@pytest.mark.parametrize(
    "key",
    [
        "wk_" + "A" * 43,
        "nonsense",
        "wk_\x00" + "A" * 40,
        "wk_" + "ä" * 43,
        "' OR 1=1 --",
        "A" * 100_000,
        "\ud800",
    ],
    ids=["well-formed", "short", "NUL", "umlauts", "SQL", "long", "half a pair"],
)
async def test_unknown_keys_are_refused_in_the_same_words(
    project: Project, closed: Authenticator, sandbox: Authenticator, key: str
) -> None:
    for authenticator in (closed, sandbox):
        with pytest.raises(Unauthorized) as refused:
            await authenticator.caller(connection(), key=key)
        assert refused.value.detail == "This API key is unknown, expired or revoked."
        assert refused.value.headers == {"WWW-Authenticate": "Bearer"}


async def test_a_hash_from_the_database_is_no_key(
    database: Database, project: Project, closed: Authenticator
) -> None:
    await make_key(database, project)
    async with database.acquire() as session:
        stored = await session.fetchval("SELECT encode(key_hash, 'hex') FROM api_keys")
    with pytest.raises(Unauthorized):
        await closed.caller(bearing(f"wk_{stored}"))


async def test_a_revoked_key_dies_within_the_remembered_seconds(
    database: Database, project: Project, closed: Authenticator, time: Time
) -> None:
    key = await make_key(database, project)
    await closed.caller(bearing(key))
    async with database.write() as session:
        (stored,) = await list_keys(session, project.id)
        assert await revoke_key(session, project.id, stored.id, NOW)
    time.passed = REMEMBER_SECONDS
    with pytest.raises(Unauthorized):
        await closed.caller(bearing(key))


async def test_an_expired_key_dies_within_the_remembered_seconds(
    database: Database, project: Project, closed: Authenticator, time: Time
) -> None:
    key = await make_key(database, project, expires_at=NOW + timedelta(seconds=60))
    time.passed = 59
    await closed.caller(bearing(key))
    time.passed = 60 + REMEMBER_SECONDS
    with pytest.raises(Unauthorized):
        await closed.caller(bearing(key))


async def test_a_key_made_after_a_refusal_works_within_the_remembered_seconds(
    database: Database, project: Project, closed: Authenticator, time: Time
) -> None:
    key = await make_key(database, project)
    async with database.acquire() as session:
        await session.execute("UPDATE api_keys SET revoked_at = now()")
        with pytest.raises(Unauthorized):
            await closed.caller(bearing(key))
        await session.execute("UPDATE api_keys SET revoked_at = NULL")
    time.passed = REMEMBER_SECONDS
    assert (await closed.caller(bearing(key))).project == project


async def test_a_key_is_of_one_project_and_does_not_tell_which_others_exist(
    database: Database, project: Project, closed: Authenticator
) -> None:
    await make_project(database, "other")
    request = bearing(await make_key(database, project, KeyKind.ADMIN))
    assert (await closed.caller(request, project=project.slug)).project == project
    words = set()
    for slug in ("other", "no-such"):
        with pytest.raises(Forbidden) as refused:
            await closed.caller(request, project=slug)
        words.add(refused.value.detail)
    assert len(words) == 1


async def test_a_flood_of_unknown_keys_takes_bounded_memory_and_pushes_no_valid_key_out(
    database: Database, project: Project, closed: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 50)
    valid = await make_key(database, project)
    await closed.caller(bearing(valid))

    async def refused(number: int) -> None:
        with pytest.raises(Unauthorized):
            await closed.caller(bearing(f"wk_{number:043}"))

    await asyncio.gather(*(refused(number) for number in range(200)))
    assert len(closed._unknown) == 50
    async with database.acquire() as session:
        await session.execute("ALTER TABLE api_keys RENAME TO hidden")
    # Answered from memory: the table is not even there.
    assert (await closed.caller(bearing(valid))).project == project


async def test_many_requests_with_one_new_key_ask_the_database_hardly_more_than_once(
    database: Database, project: Project, closed: Authenticator
) -> None:
    key = await make_key(database, project)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "api_keys" in statement:
            asked.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    callers = await asyncio.gather(*(closed.caller(bearing(key)) for _ in range(100)))
    assert {caller.project.id for caller in callers} == {project.id}
    assert 1 <= len(asked) <= module.LOOK_UPS


async def test_last_use_is_stored_by_the_job_and_kept_when_the_database_refuses(
    database: Database, project: Project, closed: Authenticator, time: Time
) -> None:
    key = await make_key(database, project)
    time.passed = 30
    await closed.caller(bearing(key))
    async with database.acquire() as session:
        await session.execute("ALTER TABLE api_keys RENAME TO hidden")
        with pytest.raises(Exception, match="api_keys"):
            await closed.write_last_use()
        await session.execute("ALTER TABLE hidden RENAME TO api_keys")
    await closed.write_last_use()
    async with database.read() as read:
        (stored,) = await list_keys(read, project.id)
    assert stored.last_used_at == NOW + timedelta(seconds=30)


# The sandbox --------------------------------------------------------------------------------------------------------


async def outcome(authenticator: Authenticator, request: HTTPConnection) -> str:
    try:
        return (await authenticator.caller(request)).name
    except AnalyticsError as error:
        return str(error.status)


async def test_outside_of_the_sandbox_nobody_comes_in_without_a_key(
    project: Project, closed: Authenticator
) -> None:
    assert await outcome(closed, connection()) == "401"


async def test_the_sandbox_is_open_to_whom_sits_at_this_machine(
    project: Project, sandbox: Authenticator
) -> None:
    caller = await sandbox.caller(connection())
    assert caller == Caller.local(project)
    assert caller.rights == set(Right)


@pytest.mark.parametrize(
    "request_",
    [
        connection(host="evil.example"),
        connection(("x-forwarded-for", "127.0.0.1")),
        connection(client=("192.168.1.4", 5)),
    ],
    ids=["another host", "a proxy", "another peer"],
)
async def test_the_sandbox_asks_everybody_else_for_a_key(
    project: Project, sandbox: Authenticator, request_: HTTPConnection
) -> None:
    assert await outcome(sandbox, request_) == "401"


async def test_pages_from_elsewhere_may_send_to_the_sandbox_and_nothing_else(
    project: Project, sandbox: Authenticator
) -> None:
    caller = await sandbox.caller(connection(("origin", "https://evil.example")))
    assert caller.name == "local-page"
    assert caller.rights == {Right.SEND}
    with pytest.raises(Forbidden, match="page of another origin without a key may not read"):
        require(caller, Right.READ)
    assert (await sandbox.caller(connection(("origin", "http://localhost:3000")))).name == "local"


async def test_the_sandbox_takes_a_project_by_name(
    database: Database, project: Project, sandbox: Authenticator
) -> None:
    other = await make_project(database, "other")
    assert (await sandbox.caller(connection(), project="other")).project == other
    assert (await sandbox.caller(connection(), project="other")).project == other
    with pytest.raises(NotFound, match="no project 'no-such'"):
        await sandbox.caller(connection(), project="no-such")


async def test_in_the_sandbox_a_key_still_decides(
    database: Database, project: Project, sandbox: Authenticator
) -> None:
    key = await make_key(database, project, KeyKind.READ)
    caller = await sandbox.caller(connection(("x-api-key", key)))
    assert caller.rights == {Right.READ, Right.FIGURES}
