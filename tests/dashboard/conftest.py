"""One Chromium, one server with some weeks of made-up history, and one that tests change as they like, worker included."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from sqlalchemy import URL

from tests.support.browser import chromium
from tests.support.dashboard import Dashboard
from tests.support.databases import scratch_database, text
from tests.support.processes import ServerProcess, clean_environment

DAYS = 20


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def dashboard(
    browser: Browser,
    database_server: URL,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("dashboard")
    with scratch_database(database_server, template=migrated_template) as url:
        env = {"ANALYTICS__DATABASE_URL": text(url), "ANALYTICS__SANDBOX_MODE": "true"}
        subprocess.run(
            [sys.executable, "-m", "analytics_api", "demo", "--days", str(DAYS)],
            cwd=folder,
            env=clean_environment(env),
            capture_output=True,
            check=True,
        )
        with ServerProcess(env, folder, "serve") as server:
            yield Dashboard(browser, server.start())


@pytest.fixture(scope="package")
def living(
    browser: Browser,
    database_server: URL,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Dashboard]:
    with scratch_database(database_server, template=migrated_template) as url:
        env = {
            "ANALYTICS__DATABASE_URL": text(url),
            "ANALYTICS__SANDBOX_MODE": "true",
            "ANALYTICS__SECRET_KEY": "a key for the tests only",
        }
        folder = tmp_path_factory.mktemp("living")
        subprocess.run(
            [sys.executable, "-m", "analytics_api", "projects", "create", "empty"],
            cwd=folder,
            env=clean_environment(env),
            capture_output=True,
            check=True,
        )
        with ServerProcess(env, folder, "run") as server:
            yield Dashboard(browser, server.start(), project="default")
