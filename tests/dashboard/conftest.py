"""One Chromium, a server with some weeks of made-up history, one that tests change as they like, and one with real destinations."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Browser
from sqlalchemy import URL

from tests.support.alerting import AlertReceiver
from tests.support.browser import chromium, make_key
from tests.support.dashboard import Dashboard
from tests.support.databases import scratch_database, text
from tests.support.processes import ServerProcess, clean_environment
from tests.support.providers import WebhookStandIn
from tests.support.providers.server import StandIn

DAYS = max(20, datetime.now(UTC).day + 3)
"""Of made-up history: some days of the month before, which is over."""
PASSWORD = "four words with spaces"
_StandIn = TypeVar("_StandIn", bound=StandIn)


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


@contextmanager
def _beside(stand_in: _StandIn) -> Iterator[_StandIn]:
    """A stand-in in a thread of its own: the tests here wait for a browser."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(stand_in):
        yield stand_in


@pytest.fixture
def receiver() -> Iterator[WebhookStandIn]:
    with _beside(WebhookStandIn()) as receiver:
        yield receiver


@pytest.fixture
def alerted() -> Iterator[AlertReceiver]:
    with _beside(AlertReceiver()) as receiver:
        yield receiver


@pytest.fixture(scope="package")
def guarded(
    browser: Browser,
    database_server: URL,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Dashboard]:
    """As its owner sees it: whoever comes has to log in, and what is sent leaves the machine, as far as this machine."""
    with scratch_database(database_server, template=migrated_template) as url:
        env = {
            "ANALYTICS__DATABASE_URL": text(url),
            "ANALYTICS__SANDBOX_MODE": "false",
            "ANALYTICS__SECRET_KEY": "a key for the tests only",
            "ANALYTICS__ADMIN_PASSWORD": PASSWORD,
            "ANALYTICS__ALLOW_PRIVATE_DESTINATIONS": "true",
            "ANALYTICS__FLUSH_INTERVAL_SECONDS": "0.5",
        }
        folder = tmp_path_factory.mktemp("guarded")
        with ServerProcess(env, folder, "run") as server:
            server.start()
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"{server.url}/dashboard/login")
            page.fill("[name=username]", "admin")
            page.fill("[name=password]", PASSWORD)
            page.click("button[type=submit]")
            page.wait_for_url("**/overview*")
            login = context.storage_state()
            context.close()
            key = make_key(text(url), folder, "admin")
            yield Dashboard(browser, server, project="default", key=key, login=login)
