"""The `analytics-api` command. What a command needs is imported when it is called: all of them together take two seconds."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from analytics_api import __version__
from analytics_api.errors import AnalyticsError

_COMMANDS = {
    "run": "processes",
    "serve": "processes",
    "work": "work",
    "migrate": "databases",
    "projects": "projects",
    "keys": "keys",
    "users": "users",
    "destinations": "destinations",
    "deliveries": "deliveries",
    "plan": "plan",
    "codegen": "plan",
    "alerts": "alerts",
    "metrics": "metrics",
    "goals": "goals",
    "spend": "ledgers",
    "rates": "ledgers",
    "import": "history",
    "export": "export",
    "demo": "history",
    "rebuild": "rebuild",
    "backup": "databases",
    "restore": "databases",
    "psql": "databases",
}
"""Each command and the module of `commands` that has it: by itself in the module's `app`, or as that app."""


class _Commands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        # Nothing of what is imported is garbage, and looking for it, now or later, takes a quarter of the time.
        gc.disable()
        try:
            module = import_module(f"analytics_api.commands.{_COMMANDS[cmd_name]}")
        finally:
            gc.freeze()
            gc.enable()
        group = typer.main.get_group(module.app)
        group.name = cmd_name
        return group.commands.get(cmd_name, group)


app = typer.Typer(
    name="analytics-api",
    help="Product analytics that you run yourself.",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; a known error is one sentence on standard error and exit code 2."""
    try:
        # typer hands an exit code back instead of raising it.
        sys.exit(app(standalone_mode=False))
    except AnalyticsError as error:
        typer.echo(f"analytics-api: {error.detail}", err=True)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # click's usage errors
            error.show()
            sys.exit(error.exit_code)
        raise


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
