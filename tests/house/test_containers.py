"""Dockerfile and docker-compose.yml name files, commands and services that exist."""

from __future__ import annotations

import fnmatch
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from analytics_api.cli import app as command_line
from analytics_api.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(compose["services"])


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments), continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def in_build_context(path: str) -> bool:
    """What .dockerignore leaves: the last pattern that matches decides."""
    ignored = False
    for pattern in (ROOT / ".dockerignore").read_text().split("\n"):
        if (
            pattern
            and not pattern.startswith("#")
            and fnmatch.fnmatch(path.split("/")[0], pattern.lstrip("!"))
        ):
            ignored = not pattern.startswith("!")
    return not ignored


def test_the_dockerfile_copies_files_that_exist_and_are_not_ignored() -> None:
    copied = [
        source
        for instruction, arguments in instructions()
        if instruction == "COPY" and "--from" not in arguments
        for source in arguments.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert in_build_context(source), source


def test_the_image_does_not_run_as_root_and_watches_its_health() -> None:
    names = [name for name, _ in instructions()]
    last_stage = instructions()[len(names) - 1 - names[::-1].index("FROM") :]
    assert dict(last_stage)["USER"] not in {"root", "0"}
    assert "/health/live" in dict(last_stage)["HEALTHCHECK"]


def test_the_image_sets_real_settings() -> None:
    environment = next(arguments for name, arguments in instructions() if name == "ENV")
    names = [word.split("=")[0] for word in shlex.split(environment)]
    assert {name for name in names if name.startswith(PREFIX)} <= SETTINGS


def test_every_package_that_the_image_installs_is_checked() -> None:
    installs = re.findall(r"pip install ([^&]*)", " ".join(arguments for _, arguments in instructions()))
    assert installs
    assert all("--require-hashes" in install or "--no-deps" in install for install in installs)


def test_services_run_commands_that_exist(services: dict[str, dict[str, Any]]) -> None:
    known = typer.main.get_command(command_line)
    assert {"postgres", "migrate", "app", "worker"} <= set(services)
    for name in ("migrate", "app", "worker"):
        context = known.make_context("analytics-api", list(services[name]["command"]), resilient_parsing=True)
        assert services[name]["command"][0] in known.list_commands(context)  # type: ignore[attr-defined]
        assert (ROOT / services[name]["build"] / "Dockerfile").exists()


def test_services_depend_on_services_and_get_real_settings(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        names = set(service.get("environment", {}))
        assert {name for name in names if name.startswith("ANALYTICS")} <= SETTINGS
    assert services["app"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_the_database_is_not_published_and_needs_a_password(services: dict[str, dict[str, Any]]) -> None:
    assert "ports" not in services["postgres"]
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    assert all(port.startswith("127.0.0.1:") for port in services["app"]["ports"])
