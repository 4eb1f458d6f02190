"""Adding, changing, pausing and removing destinations: what the API and the command line do, and the same errors."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import asyncpg

from analytics_api.deliver.added import place_of
from analytics_api.deliver.providers.options import WatchedOptions
from analytics_api.deliver.providers.port import Checkable, Provider
from analytics_api.deliver.providers.registry import known_providers, make_provider
from analytics_api.deliver.rules import Rules
from analytics_api.domain.project import Project
from analytics_api.domain.times import in_utc
from analytics_api.errors import ConfigurationError, Conflict, NotFound, Unprocessable
from analytics_api.outbound.connections import Client
from analytics_api.store import readers
from analytics_api.store.deliveries import reader_name, reader_state
from analytics_api.store.destination_rules import put_rules
from analytics_api.store.destinations import (
    StoredDestination,
    delete_destination,
    find_destination,
    insert_destination,
    lock_destination,
    position_before,
    update_destination,
)
from analytics_api.store.engine import Database
from analytics_api.store.log import safe_position
from analytics_api.store.secret_box import SecretBox

logger = logging.getLogger(__name__)

NOW, BEGINNING = "now", "beginning"
BY_HAND = "paused by hand"
_SANDBOX = "sandbox"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LONGEST_VALUE = 2_000


@dataclass(frozen=True, slots=True)
class NewDestination:
    """What to add. `options` hold secrets and places alike, as the provider names them."""

    kind: str
    options: Mapping[str, str]
    name: str = ""
    """Empty: the kind's."""
    start: str = NOW
    """`now`, `beginning`, or the date or time (ISO 8601) from whose arrivals on it gets events."""
    rules: Rules | None = None


async def add(
    database: Database,
    box: SecretBox,
    project: Project,
    new: NewDestination,
    now: datetime,
    *,
    taken: Mapping[str, str],
    client: Client,
) -> StoredDestination:
    """Add a destination. `taken`: names that the settings use, and which setting that is. `client` asks the provider.

    Raises Unprocessable naming the field, Conflict when the name is taken, WriterBusy when where to start is not known yet.
    """
    name = new.name or new.kind
    if not _NAME.fullmatch(name):
        raise Unprocessable("name: use up to 63 lower-case letters, digits, '-' and '_'.")
    if name in taken:
        raise Conflict(f"name: {name!r} is in use by the settings ({taken[name]}); choose another name.")
    if new.kind == _SANDBOX or name == _SANDBOX:
        raise Unprocessable("kind: the sandbox comes with ANALYTICS__SANDBOX_MODE and cannot be added.")
    options, secrets = await _checked(new.kind, new.options, client)
    sealed = _sealed(box, secrets, project.id, name)
    async with database.acquire() as connection:
        return await insert_destination(
            connection,
            project.id,
            name,
            new.kind,
            options=options,
            secrets=sealed,
            secret_names=sorted(secrets),
            start=new.start,
            position=await _first_position(connection, project, new.start, now),
            rules=None if new.rules is None else new.rules.text(),
            now=now,
        )


async def change(
    database: Database,
    box: SecretBox,
    project: Project,
    name: str,
    options: Mapping[str, str | None],
    now: datetime,
    *,
    client: Client,
) -> StoredDestination:
    """Change options; None takes one away. Running processes take over within seconds, a paused one goes on.

    Raises NotFound, Conflict, and Unprocessable, also when the address changes and the secrets are not given again:
    else whoever may set an address could have the stored secrets sent there.
    """
    async with database.acquire() as connection:
        before = await find_destination(connection, project.id, name)
    if before is None:
        raise _unknown(project, name)
    old = {} if before.secrets is None else _opened(box, before, options)
    merged = {**before.options, **old, **options}
    if any(merged.get(one) != before.options.get(one) for one in ADDRESSES):
        missing = sorted(set(before.secret_names) - options.keys())
        if missing:
            raise Unprocessable(f"options.url: with another address, give {', '.join(missing)} again, too.")
    kept = {key: value for key, value in merged.items() if value is not None}
    plain, secrets = await _checked(before.kind, kept, client)
    sealed = _sealed(box, secrets, project.id, name)
    async with database.acquire() as connection:
        return await update_destination(
            connection, before, options=plain, secrets=sealed, secret_names=sorted(secrets), now=now
        )


ADDRESSES = ("url", "deletion_url")
"""Options that say where requests with secrets go."""


async def check_name(connection: asyncpg.Connection, project: Project, name: str | None) -> None:
    """Raises NotFound, so that a misspelt name is not taken for a destination without events."""
    if name is not None and await reader_state(connection, project.id, name) is None:
        raise _unknown(project, name)


async def change_rules(
    connection: asyncpg.Connection,
    project: Project,
    name: str,
    rules: Rules,
    now: datetime,
    *,
    settings: Mapping[str, bool],
) -> int:
    """Put rules in the place of those that are there; running processes follow within seconds. Returns their version.

    `settings`: the destinations that the settings name, and whether they say the rules, too. Raises NotFound and Conflict.
    """
    if settings.get(name):
        raise Conflict(f"rules: those of {name!r} come from the settings; change them there.")
    async with connection.transaction():
        if name not in settings and not await lock_destination(connection, project.id, name):
            raise _unknown(project, name)
        return await put_rules(connection, project.id, name, rules.text(), now)


async def pause(connection: asyncpg.Connection, project: Project, name: str, now: datetime) -> None:
    """Stop a destination until it is resumed; nothing is lost. Raises NotFound."""
    if not await readers.pause_by_hand(connection, project.id, reader_name(name), BY_HAND, now):
        raise _unknown(project, name)


async def resume(connection: asyncpg.Connection, project: Project, name: str, now: datetime) -> bool:
    """Let a paused destination go on, or try one that waits after a failure at once. Whether it was paused.

    Raises NotFound.
    """
    if not await readers.probe_now(connection, project.id, reader_name(name)):
        raise _unknown(project, name)
    return await readers.resume(connection, project.id, reader_name(name), now)


async def remove(
    connection: asyncpg.Connection, project: Project, name: str, *, taken: Mapping[str, str]
) -> None:
    """Remove a destination with its backlog, counts and dead letters. Raises NotFound, and Conflict for the settings'."""
    if name in taken:
        raise Conflict(f"{name!r} comes from the settings: take {taken[name]} away there first.")
    if not await delete_destination(connection, project.id, name):
        raise _unknown(project, name)


def _unknown(project: Project, name: str) -> NotFound:
    return NotFound(f"Project {project.slug} has no destination {name!r}.")


async def _checked(
    kind: str, options: Mapping[str, str], client: Client
) -> tuple[dict[str, str], dict[str, str]]:
    """Options that may be shown, and secrets: those values that the provider names as such."""
    for name, value in options.items():
        if len(value) > _LONGEST_VALUE or not value.isprintable():
            raise Unprocessable(f"options.{name}: use up to {_LONGEST_VALUE} printable characters.")
    provider = _provider(kind, options)
    if isinstance(provider, Checkable):
        complaints = await provider.check(client)
        if complaints:
            raise Unprocessable(f"options: {kind} says: {'; '.join(complaints)}")
    # Blanks around a key are left out by the provider.
    secrets = {name: value for name, value in options.items() if value.strip() in provider.secrets}
    return {name: value for name, value in options.items() if name not in secrets}, secrets


def _provider(kind: str, options: Mapping[str, str]) -> Provider:
    if kind not in known_providers():
        raise Unprocessable(f"kind: {kind!r} is not known; use one of {', '.join(known_providers())}.")
    watched = WatchedOptions(options)
    try:
        provider = make_provider(kind, watched)
    except ConfigurationError as error:
        raise Unprocessable(f"options: {error.detail}") from None
    except Exception as error:
        # Another package's factory that does not name what it misses.
        logger.exception("provider %s failed while it was made", kind)
        raise Unprocessable(f"options: {kind} cannot be made: {type(error).__name__}: {error}") from None
    for name in watched.unknown:
        close = difflib.get_close_matches(name, watched.asked, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(sorted(watched.asked))}."
        raise Unprocessable(f"options.{name}: {kind} has no such option; {hint}")
    return provider


def _sealed(box: SecretBox, secrets: Mapping[str, str], project_id: int, name: str) -> bytes | None:
    try:
        return box.seal(secrets, place_of(project_id, name)) if secrets else None
    except ConfigurationError as error:
        raise Unprocessable(f"options: {', '.join(secrets)} cannot be stored: {error.detail}") from None


def _opened(box: SecretBox, row: StoredDestination, given: Mapping[str, str | None]) -> dict[str, str]:
    """The stored secrets; none are needed when all of them are given again."""
    if row.secrets is None or set(row.secret_names) <= given.keys():
        return {}
    try:
        return box.open(row.secrets, place_of(row.project_id, row.name))
    except ConfigurationError as error:
        raise Unprocessable(f"options: {error.detail}") from None


async def _first_position(connection: asyncpg.Connection, project: Project, start: str, now: datetime) -> int:
    if start == BEGINNING:
        return 0
    moment = None if start == NOW else _moment(start, project)
    if moment is not None and moment > now:
        raise Unprocessable("start: that is in the future; use now, beginning or a time that has been.")
    safe = await safe_position(connection)
    return safe if moment is None else await position_before(connection, project.id, moment, safe)


def _moment(text: str, project: Project) -> datetime:
    """A date in the project's zone, or a time; without an offset UTC."""
    try:
        if len(text) == len("2026-03-01"):
            return in_utc(datetime.combine(date.fromisoformat(text), time(), project.zone))
        moment = datetime.fromisoformat(text)
        return in_utc(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except ValueError:
        raise Unprocessable(
            "start: use now, beginning, a date such as 2026-03-01 or a time such as 2026-03-01T12:00:00Z."
        ) from None
