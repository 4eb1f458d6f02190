"""One Chromium, one server and one web server for all tests of pages; each test has visitors and event types of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from sqlalchemy import URL

from tests.support.browser import Site, chromium, dsn_of, make_key, pages
from tests.support.databases import scratch_database, text
from tests.support.processes import ServerProcess


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def all_tests_site(
    browser: Browser,
    database_server: URL,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("web")
    with scratch_database(database_server, template=migrated_template) as url:
        env = {"ANALYTICS__DATABASE_URL": text(url), "ANALYTICS__COLLECT_PATH": "/c"}
        env["ANALYTICS__AMPLITUDE_API_KEY"] = "for rules that are tried; nothing here sends"
        with ServerProcess(env, folder, "serve") as server, pages() as (origin, contents):
            server.start()
            key, reader = (make_key(text(url), folder, kind) for kind in ("write", "read"))
            yield Site(browser, browser.new_page(), server, dsn_of(text(url)), key, reader, origin, contents)


@pytest.fixture
def site(all_tests_site: Site) -> Iterator[Site]:
    yield all_tests_site
    all_tests_site.close()
    all_tests_site.contents.clear()
