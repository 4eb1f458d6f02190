"""Real Chromium, pages on an origin of their own, and what of them is in the log of a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import make_url

from tests.support.databases import in_thread
from tests.support.processes import ServerProcess, clean_environment

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_SECONDS = 60.0


def program(*preferred: str) -> str:
    """Where the machine's Chromium is; the test is skipped where there is none.

    The build without any window of its own opens a page in a third of the time (0.21 instead of 0.60 s, measured).
    """
    names = (*preferred, "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("needs Chromium (Debian: apt install chromium-headless-shell)")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium without a window."""
    path = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Contents(dict[str, str | bytes]):
    """What a web server for pages serves by path. Paths that it does not know get `/`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        """Paths with their queries, as they were asked for."""


@contextmanager
def pages() -> Iterator[tuple[str, Contents]]:
    """A web server for pages: its origin, and what it serves."""
    contents = Contents()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            contents.asked.append(self.path)
            path = self.path.partition("?")[0]
            content = contents.get(path, contents.get("/", ""))
            body = content.encode() if isinstance(content, str) else content
            kind = "text/javascript" if path.endswith(".js") else "text/html; charset=utf-8"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}", contents
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Site:
    """Pages with the script, whose events go to a real server on another origin."""

    browser: Browser
    idle: Page
    """A tab that nothing happens to; waiting in it lets routes of the others be answered."""
    server: ServerProcess
    dsn: str
    key: str
    reader: str
    origin: str
    contents: Contents
    contexts: list[BrowserContext] = field(default_factory=list)

    def tag(self, **given: object) -> str:
        """The script's tag: quick, and silent unless the test says otherwise."""
        settings = {
            "page_views": False,
            "auto_track": False,
            "flush_interval": 30,
            "retry_delay": 50,
            **given,
        }
        data = "".join(f' data-{name.replace("_", "-")}="{str(value).lower() if isinstance(value, bool) else value}"'
                       for name, value in settings.items())  # fmt: skip
        return f'<script defer src="{self.server.url}/sdk/a.js" data-key="{self.key}"{data}></script>'

    def serve(self, body: str = "", path: str = "/", **given: object) -> None:
        """Put a page under a path."""
        self.contents[path] = f"<!doctype html><title>A page</title>{self.tag(**given)}<body>{body}"

    def visitor(self, **options: Any) -> BrowserContext:
        """A browser profile of its own."""
        context = self.browser.new_context(**options)
        self.contexts.append(context)
        return context

    def open(self, context: BrowserContext | None = None, path: str = "/") -> Page:
        """A tab with a page; of a new visitor unless one is given."""
        page = (context or self.visitor()).new_page()
        page.goto(self.origin + path)
        return page

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds, while routes are answered; fails after a minute, saying what was waited for."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {what}")
            self.idle.wait_for_timeout(50)

    def rows(self, event_type: str | None = None) -> list[dict[str, Any]]:
        """Events in the log in the order of their arrival."""

        async def select() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.dsn)
            try:
                return await connection.fetch(
                    "SELECT * FROM events WHERE $1::text IS NULL OR event_type = $1 ORDER BY seq", event_type
                )
            finally:
                await connection.close()

        return [
            {**row, **{name: json.loads(row[name] or "null") for name in ("event_data", "context", "user_properties")}}
            for row in in_thread(select())
        ]  # fmt: skip

    def numbers(self, event_type: str) -> Counter[int]:
        """How often each `event_data.n` is in the log."""
        return Counter(row["event_data"]["n"] for row in self.rows(event_type))

    def expect(self, event_type: str, count: int) -> list[dict[str, Any]]:
        """The events of that type, once there are so many; each with an id of its own."""
        self.until(lambda: len(self.rows(event_type)) >= count, f"{count} times {event_type}")
        rows = self.rows(event_type)
        assert len({row["event_id"] for row in rows}) == len(rows) == count
        return rows

    def views(self, *paths: str) -> list[dict[str, Any]]:
        """Views of these pages."""
        return [row for row in self.rows("page_view") if row["event_data"]["path"] in paths]

    def close(self) -> None:
        """Close all visitors' windows."""
        for context in self.contexts:
            context.close()
        self.contexts.clear()


def make_key(url: str, folder: Path, kind: str = "write") -> str:
    """A new API key of the default project."""
    done = subprocess.run(
        [sys.executable, "-m", "analytics_api", "keys", "create", "--kind", kind],
        cwd=folder,
        env=clean_environment({"ANALYTICS__DATABASE_URL": url}),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def dsn_of(url: str) -> str:
    """The URL as asyncpg takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
