"""Each command loads only what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", ["keys", "projects", "psql", "rebuild", "users"])
def test_commands_on_the_database_do_without_the_web_server(command: str) -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from analytics_api.cli import app;"
        f"assert CliRunner().invoke(app, ['{command}', '--help']).exit_code == 0; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "sqlalchemy" in loaded
    assert not loaded & {"fastapi", "uvicorn", "apscheduler", "mixpanel"}
