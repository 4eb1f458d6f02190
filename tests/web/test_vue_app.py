"""examples/vue-app, built as its README says, used by two visitors in real Chromium; what they did is in the figures."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.support.browser import Contents, Site, dsn_of, make_key
from tests.support.processes import ServerProcess, free_port

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "vue-app"

# Of the visitor who agrees, in one visit.
VISIT = {
    "page_view": 6,
    "banner_seen": 3,
    "feature_used": 2,
    "generation_started": 2,
    "generation_completed": 1,
    "generation_failed": 1,
    "error": 1,
    "help_opened": 1,
    "outbound_click": 1,
    "file_download": 1,
    "offer_seen": 1,
    "link_created": 1,
    "form_interaction": 2 + 2 + 2,
    "$identify": 1,
    "signup_completed": 1,
    "web_vitals": 1,
}


class Pages(SimpleHTTPRequestHandler):
    """The files, and the application for every address that is no file."""

    def send_head(self) -> Any:
        if not Path(self.translate_path(self.path)).is_file():
            self.path = "/index.html"
        return super().send_head()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[tuple[str, ServerProcess]]:
    """The address of the built application, and the server that it sends to."""
    for needed in (ROOT / "web" / "node_modules", EXAMPLE / "node_modules"):
        if not needed.exists():
            pytest.skip(f"{needed.relative_to(ROOT)} is not there: make test installs it")
    key = make_key(database_url, tmp_path)
    port = free_port()
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "VITE_ANALYTICS_HOST": f"http://127.0.0.1:{port}",
        "VITE_ANALYTICS_KEY": key,
        "VITE_ANALYTICS_FLUSH_INTERVAL": "200",
    }
    node = str(Path(sys.executable).with_name("node"))
    tsc = ROOT / "web" / "node_modules" / "typescript" / "bin" / "tsc"
    subprocess.run([node, tsc, "-p", ROOT / "web" / "sdk" / "tsconfig.build.json"], check=True)
    vite = EXAMPLE / "node_modules" / "vite" / "bin" / "vite.js"
    subprocess.run(
        [node, vite, "build", "--outDir", tmp_path / "app", "--emptyOutDir", "--logLevel", "error"],
        cwd=EXAMPLE,
        env=env,
        check=True,
    )
    files = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=str(tmp_path / "app")))
    thread = threading.Thread(target=files.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    settings = {"ANALYTICS__DATABASE_URL": database_url}
    try:
        with ServerProcess(settings, tmp_path, "serve", "--with-worker", port=port) as server:
            server.start()
            yield f"http://localhost:{files.server_port}", server
    finally:
        files.shutdown()
        thread.join()
        files.server_close()


def visit(visitor: BrowserContext, address: str) -> None:
    """Use everything once."""
    visitor.route("https://example.org/**", lambda route: route.abort())
    page = visitor.new_page()
    page.goto(address)
    page.click("#yes")
    page.click("#generate")
    page.get_by_text("A print in ink").wait_for()
    page.click("#fail")
    page.get_by_text("That did not work.").wait_for()
    page.click("#break")
    page.click("#help b")
    with visitor.expect_page() as opened:
        page.click("text=Our partner")
    opened.value.close()
    with page.expect_download():
        page.click("text=Catalogue")
    page.locator("#offer").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    page.click("text=Print 2")
    page.click("#share")
    page.wait_for_timeout(100)
    page.click("text=Contact")
    page.click("text=Send")
    page.fill("input", "Ada")
    page.fill("textarea", "ada@example.org writes that the number is +44 20 7946 0958")
    page.click("text=Send")
    page.locator("#sent").wait_for()
    page.click("text=Prints")
    page.wait_for_timeout(100)
    page.click("text=Contact")
    page.click("textarea")
    page.wait_for_timeout(100)
    page.click("#sign-up")
    page.click("text=Prints")
    page.wait_for_timeout(300)
    page.click("#sign-out")
    page.goto("about:blank")
    page.close()


def test_what_visitors_of_the_vue_app_do_is_in_the_figures(
    app: tuple[str, ServerProcess], browser: Browser, database_url: str, tmp_path: Path
) -> None:
    address, server = app
    reader = make_key(database_url, tmp_path, "read")
    site = Site(browser, browser.new_page(), server, dsn_of(database_url), "", reader, address, Contents())
    refusing = site.visitor()
    page = refusing.new_page()
    page.goto(address)
    page.click("#generate")
    page.click("#no")
    page.click("#help b")
    page.click("text=Contact")
    page.goto("about:blank")
    visit(site.visitor(), address)
    site.until(lambda: bool(site.rows("web_vitals")), "what is sent last")
    page.wait_for_timeout(1_000)
    rows = site.rows()
    assert dict(Counter(row["event_type"] for row in rows)) == VISIT
    assert not [row for row in rows if "ada@" in str(row) or "7946" in str(row)]
    assert [row["event_data"]["pattern"] for row in rows if row["event_type"] == "page_view"] == [
        "/", "/prints/:id", "/contact", "/", "/contact", "/",
    ]  # fmt: skip
    actions = [row["event_data"]["action"] for row in rows if row["event_type"] == "form_interaction"]
    assert sorted(actions) == ["abandon", "error", "error", "start", "start", "submit"]
    # Signing out forgets what was registered; the vitals come after it.
    assert {row["event_type"] for row in rows if row["event_data"].get("app") != "vue-example"} == {
        "web_vitals"
    }

    def dashboard() -> dict[str, Any]:
        answer = httpx.get(
            f"{server.url}/api/v1/analytics/metrics/dashboard",
            params={"include_bots": True},
            headers={"Authorization": f"Bearer {reader}"},
        )
        return dict(answer.raise_for_status().json())

    # Events from before the sign-up are by the same visitor; the ids from after the sign-out are another's.
    visitors = {row["anonymous_id"] for row in rows if row["anonymous_id"]}
    site.until(lambda: dashboard()["daily_active_users"] == len(visitors), "the rollups")
    assert dashboard()["new_registrations_today"] == 1
    site.close()
