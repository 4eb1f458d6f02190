"""`analytics-api work`."""

from __future__ import annotations

import typer

from analytics_api.settings import load_settings
from analytics_api.work import run_worker

app = typer.Typer()


@app.command()
def work() -> None:
    """The background work: readers, destinations, closing of days, retention."""
    run_worker(load_settings())
