"""`analytics-api migrate | backup | restore | psql`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analytics_api import ops
from analytics_api.database import database_url
from analytics_api.settings import load_settings
from analytics_api.store.migrate import upgrade

app = typer.Typer()


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    settings = load_settings()
    with database_url(settings) as url:
        upgrade(url)
    typer.echo("The database is up to date.")


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="File to write.")]) -> None:
    """Write the whole database to a file."""
    with database_url(load_settings()) as url:
        ops.backup(url, target)


@app.command()
def restore(source: Annotated[Path, typer.Argument(help="File that `backup` wrote.")]) -> None:
    """Put a backup in the place of the whole database."""
    with database_url(load_settings()) as url:
        ops.restore(url, source)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the database; further arguments go to psql."""
    with database_url(load_settings()) as url:
        code = ops.psql(url, context.args)
    raise typer.Exit(code)
