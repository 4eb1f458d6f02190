"""`analytics-api users`: who can log in. For the operator; people manage each other over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.access.logins import normal_username
from analytics_api.access.passwords import checked_password, generated_password, hash_password
from analytics_api.commands.context import asked_secrets, opened, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import Role
from analytics_api.errors import ConfigurationError, NotFound
from analytics_api.settings import load_settings
from analytics_api.store import login_attempts, user_sessions, users
from analytics_api.store.projects import get_project
from analytics_api.store.users import User

app = typer.Typer(help="People who log in.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="USERNAME", help="Such as an e-mail address; case does not matter.")
]
Ask = Annotated[
    bool,
    typer.Option(
        "--ask-password", help="Ask for it (or read a line of standard input) instead of making one up."
    ),
]


@asynccontextmanager
async def _writing() -> AsyncIterator[AsyncConnection]:
    async with opened(load_settings()) as database, database.write() as connection:
        yield connection


async def _found(connection: AsyncConnection, username: str) -> User:
    user = await users.find_user(connection, normal_username(username))
    if user is None:
        raise NotFound(f"There is no user {username!r}; analytics-api users list shows all.")
    return user


def _password(username: str, ask: bool) -> str:
    if not ask:
        return generated_password()
    return checked_password(asked_secrets(["password"])["password"], normal_username(username))


def _show(username: str, password: str, ask: bool) -> None:
    if not ask:
        typer.echo(f"The password of {username}; it is not shown again:", err=True)
        typer.echo(password)


@app.command("create")
def users_create(
    username: Name,
    role: Annotated[Role | None, typer.Option(help="In the project that --project names.")] = None,
    project: Annotated[str | None, typer.Option("--project", "-p", help="Project by its slug.")] = None,
    owner_everywhere: Annotated[
        bool, typer.Option("--owner-everywhere", help="Owner of every project, of those to come as well.")
    ] = False,
    ask_password: Ask = False,
) -> None:
    """Make a user. A password that was made up is printed alone on the last line."""
    if owner_everywhere == (role is not None) or (role is None) != (project is None):
        raise ConfigurationError("users create: give --role and --project, or --owner-everywhere alone.")
    password = _password(username, ask_password)

    async def create() -> None:
        async with _writing() as connection:
            now = system_clock()
            user = await users.create_user(
                connection,
                normal_username(username),
                hash_password(password),
                owner_everywhere=owner_everywhere,
                now=now,
            )
            if role is not None and project is not None:
                found = await get_project(connection, project)
                await users.set_role(connection, user.id, found.id, role, now)

    run_command(create())
    _show(username, password, ask_password)


@app.command("list")
def users_list() -> None:
    """All users, with what they may do and when they logged in last."""

    async def show() -> None:
        async with _writing() as connection:
            for user in await users.list_users(connection):
                roles = [f"{one.slug}:{one.role}" for one in await users.memberships_of(connection, user)]
                may = "owner everywhere" if user.owner_everywhere else ", ".join(roles) or "no project"
                state = "disabled" if user.disabled_at else "active"
                seen = (
                    user.last_login_at.isoformat(timespec="seconds")
                    if user.last_login_at
                    else "never logged in"
                )
                typer.echo(f"{user.id}\t{user.username}\t{state}\t{seen}\t{may}")

    run_command(show())


@app.command("set-role")
def users_set_role(
    username: Name,
    role: Annotated[Role, typer.Option(help="What the user may do from now on.")],
    project: Annotated[str, typer.Option("--project", "-p", help="Project by its slug.")],
) -> None:
    """Make a user a member of a project, or change the role there."""

    async def change() -> None:
        async with _writing() as connection:
            user = await _found(connection, username)
            found = await get_project(connection, project)
            await users.set_role(connection, user.id, found.id, role, system_clock())

    run_command(change())
    typer.echo(f"{username} is {role} of {project}.")


@app.command("reset-password")
def users_reset_password(username: Name, ask_password: Ask = False) -> None:
    """Set a new password and end all logins of a user. One that was made up is printed alone on the last line."""
    password = _password(username, ask_password)

    async def reset() -> None:
        async with _writing() as connection:
            user = await _found(connection, username)
            await users.set_password(connection, user.id, hash_password(password), system_clock())
            await user_sessions.end_sessions(connection, user.id)
            await login_attempts.forget_attempts(connection, user.username)

    run_command(reset())
    _show(username, password, ask_password)


@app.command("remove-second-factor")
def users_remove_second_factor(username: Name) -> None:
    """For somebody who has lost the app that shows the codes: the password alone is enough again."""

    async def remove() -> None:
        async with _writing() as connection:
            await users.remove_factor(connection, (await _found(connection, username)).id)

    run_command(remove())
    typer.echo(f"{username} logs in with the password alone.")


@app.command("disable")
def users_disable(username: Name) -> None:
    """Lock a user out, at once."""
    _set_disabled(username, True)
    typer.echo(f"{username} is locked out.")


@app.command("enable")
def users_enable(username: Name) -> None:
    """Let a user in again."""
    _set_disabled(username, False)
    typer.echo(f"{username} can log in again.")


def _set_disabled(username: str, disabled: bool) -> None:
    async def change() -> None:
        async with _writing() as connection:
            user = await _found(connection, username)
            await users.set_disabled(connection, user.id, system_clock() if disabled else None)

    run_command(change())


@app.command("remove")
def users_remove(username: Name) -> None:
    """Remove a user for good."""

    async def remove() -> None:
        async with _writing() as connection:
            await users.delete_user(connection, (await _found(connection, username)).id)

    run_command(remove())
    typer.echo(f"{username} is removed.")
