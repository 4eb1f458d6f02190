"""`analytics-api keys`: API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from analytics_api.commands.context import ProjectOption, opened, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.errors import NotFound
from analytics_api.settings import load_settings
from analytics_api.store.keys import create_key, key_state, list_keys, revoke_key, rotate_key
from analytics_api.store.projects import DEFAULT, get_project

app = typer.Typer(help="API keys.", no_args_is_help=True)


@app.command("create")
def keys_create(
    kind: Annotated[KeyKind, typer.Option(help="What the key may do.")],
    project: ProjectOption = DEFAULT,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires_days: Annotated[int | None, typer.Option(min=1, help="Days until it ends.")] = None,
    rate: Annotated[
        int | None,
        typer.Option(min=0, help="Events a second it may send; 0: no limit.", show_default="its kind's"),
    ] = None,
) -> None:
    """Make a key. It is printed alone on the last line and cannot be read again."""
    settings = load_settings()

    async def create() -> str:
        now = system_clock()
        async with opened(settings) as database, database.write() as connection:
            owner = await get_project(connection, project)
            expires_at = now + timedelta(days=expires_days) if expires_days else None
            return await create_key(
                connection,
                owner.id,
                kind,
                name=name,
                expires_at=expires_at,
                events_per_second=rate,
                now=now,
            )

    key = run_command(create())
    typer.echo(f"The {kind.value} key of project {project}; keep it, it is not stored:", err=True)
    typer.echo(key)


@app.command("list")
def keys_list(project: ProjectOption = DEFAULT) -> None:
    """The keys of a project, without their secrets."""
    settings = load_settings()

    async def show() -> None:
        async with opened(settings) as database, database.read() as connection:
            owner = await get_project(connection, project)
            for key in await list_keys(connection, owner.id):
                state = key_state(key, system_clock())
                used = key.last_used_at.isoformat(timespec="seconds") if key.last_used_at else "never used"
                typer.echo(f"{key.id}\t{key.kind}\t{key.prefix}...\t{state}\t{used}\t{key.name}")

    run_command(show())


@app.command("rotate")
def keys_rotate(
    key_id: Annotated[int, typer.Argument(help="Number of the key, as `keys list` shows it.")],
    project: ProjectOption = DEFAULT,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=8760, help="How long the former key stays valid.")
    ] = 24,
) -> None:
    """Make a key in the place of another one. It is printed alone on the last line; both are valid for a time."""
    settings = load_settings()

    async def rotate() -> str | None:
        async with opened(settings) as database, database.write() as connection:
            owner = await get_project(connection, project)
            made = await rotate_key(
                connection, owner.id, key_id, overlap=timedelta(hours=overlap_hours), now=system_clock()
            )
            return made[0] if made is not None else None

    key = run_command(rotate())
    if key is None:
        raise NotFound(f"Project {project} has no active key {key_id}.")
    typer.echo(f"Key {key_id} ends in {overlap_hours} hours; keep the new one, it is not stored:", err=True)
    typer.echo(key)


@app.command("revoke")
def keys_revoke(
    key_id: Annotated[int, typer.Argument(help="Number of the key, as `keys list` shows it.")],
    project: ProjectOption = DEFAULT,
) -> None:
    """End a key; every process refuses it within seconds."""
    settings = load_settings()

    async def revoke() -> bool:
        async with opened(settings) as database, database.write() as connection:
            owner = await get_project(connection, project)
            return await revoke_key(connection, owner.id, key_id, system_clock())

    if not run_command(revoke()):
        typer.echo(f"analytics-api: project {project} has no active key {key_id}.", err=True)
        raise typer.Exit(2)
    typer.echo(f"Key {key_id} is revoked.")
