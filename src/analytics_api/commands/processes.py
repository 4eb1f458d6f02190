"""`analytics-api run | serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from analytics_api.serve import run_server
from analytics_api.settings import load_settings

app = typer.Typer()


@app.command()
def run() -> None:
    """Everything in one process for a first try: server, worker, database, sandbox mode on."""
    settings = load_settings()
    if "sandbox_mode" not in settings.model_fields_set:
        settings = settings.model_copy(update={"sandbox_mode": True})
    run_server(settings, with_worker=True, banner=True)


@app.command()
def serve(
    with_worker: Annotated[bool, typer.Option(help="Run the background work in this process, too.")] = False,
    migrate_first: Annotated[
        bool, typer.Option("--migrate/--no-migrate", help="Migrate the database first.")
    ] = True,
) -> None:
    """The web server."""
    run_server(load_settings(), with_worker=with_worker, migrate=migrate_first)
