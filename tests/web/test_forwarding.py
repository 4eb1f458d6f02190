"""The vendors' own packages in a real page beside delivery by the server: every event reaches each vendor once, in one of two ways."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from tests.support.browser import ARGUMENTS, make_key, program
from tests.support.databases import in_thread
from tests.support.processes import ServerProcess
from tests.support.providers import AmplitudeStandIn, MixpanelStandIn, PageVendors

WEB = Path(__file__).parents[2] / "web"
ESBUILD = WEB / "node_modules" / "esbuild" / "bin" / "esbuild"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def bundle(folder: Path) -> None:
    """The page of web/sdk/test/pages with the client and, in files of their own, the vendors' packages."""
    node = Path(sys.executable).with_name("node")
    page = WEB / "sdk" / "test" / "pages" / "forwarding.ts"
    arguments = ["--bundle", "--format=esm", "--splitting", "--log-level=error", f"--outdir={folder}"]
    subprocess.run([node, ESBUILD, page, *arguments], check=True)


async def until(page: Page, condition: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if condition():
            return
        await page.wait_for_timeout(100)
    raise AssertionError(f"waited for {what}")


@pytest.mark.skipif(not ESBUILD.exists(), reason="web/node_modules is not there: make web-check")
def test_page_and_server_never_deliver_the_same(database_url: str, tmp_path: Path) -> None:
    # In a thread: the browser that other tests share keeps a loop running in this one.
    in_thread(compare(program(), database_url, tmp_path))


async def compare(chromium: str, database_url: str, tmp_path: Path) -> None:
    """Events of one page, at the vendors through the page and through the server."""
    site = tmp_path / "site"
    await asyncio.to_thread(bundle, site)
    files = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: Quiet(*given, directory=str(site)))
    Thread(target=files.serve_forever, daemon=True).start()
    async with (
        AmplitudeStandIn() as amplitude,
        MixpanelStandIn() as mixpanel,
        PageVendors() as vendors,
        async_playwright() as playwright,
    ):
        env = {
            "ANALYTICS__DATABASE_URL": database_url,
            "ANALYTICS__SANDBOX_MODE": "false",
            "ANALYTICS__AMPLITUDE_API_KEY": amplitude.api_key,
            "ANALYTICS__AMPLITUDE_URL": amplitude.url,
            "ANALYTICS__MIXPANEL_TOKEN": mixpanel.token,
            "ANALYTICS__MIXPANEL_URL": mixpanel.url,
            "ANALYTICS__FLUSH_INTERVAL_SECONDS": "1",
        }
        with ServerProcess(env, tmp_path, "serve", "--with-worker") as server:
            await asyncio.to_thread(server.start)
            key = await asyncio.to_thread(make_key, database_url, tmp_path)
            settings = {
                "host": server.url,
                "key": key,
                "amplitude": vendors.url,
                "mixpanel": vendors.url,
            }
            (site / "index.html").write_text(
                '<!doctype html><meta charset="utf-8"><title>Forwarding</title>'
                f'<script id="settings" type="application/json">{json.dumps(settings)}</script>'
                '<script type="module" src="forwarding.js"></script>'
            )
            browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            page = await browser.new_page()
            loaded: list[str] = []
            page.on("request", lambda request: loaded.append(request.url))
            await page.goto(f"http://localhost:{files.server_port}/")
            await page.evaluate("analytics.track('before_consent', {n: 0})")
            await page.wait_for_timeout(300)
            before = len([url for url in loaded if url.endswith(".js")])
            await page.evaluate("analytics.optIn()")
            # The packages come with the first event; until they are there, the server delivers.
            await until(page, lambda: len([u for u in loaded if u.endswith(".js")]) > before, "the packages")
            number = 0

            def arrived() -> bool:
                return bool(vendors.amplitude) and bool(vendors.mixpanel)

            while not arrived() and number < 300:
                number += 1
                await page.evaluate("n => analytics.track('thing', {n})", number)
                await page.wait_for_timeout(100)
            assert arrived()
            await page.evaluate("analytics.identify('ada', {plan: 'pro'})")
            for _ in range(10):
                number += 1
                await page.evaluate("n => analytics.track('thing', {n})", number)
            await page.evaluate("analytics.flush()")

            def ids(events: list[dict[str, Any]]) -> list[str]:
                return [
                    event["insert_id"]
                    for event in events
                    if event["event_type"] in ("thing", "before_consent")
                ]

            def mixpanel_ids(events: list[dict[str, Any]]) -> list[str]:
                return [
                    event["properties"]["$insert_id"]
                    for event in events
                    if event["event"] in ("thing", "before_consent")
                ]

            def at_amplitude() -> list[str]:
                return ids(vendors.amplitude) + ids(amplitude.stored)

            def at_mixpanel() -> list[str]:
                return mixpanel_ids(vendors.mixpanel) + mixpanel_ids(mixpanel.stored)

            await until(page, lambda: len(at_amplitude()) >= number + 1, "all events at Amplitude")
            await until(page, lambda: len(at_mixpanel()) >= number + 1, "all events at Mixpanel")
            await page.wait_for_timeout(2_000)
            assert len(set(at_amplitude())) == len(at_amplitude()) == number + 1
            assert len(set(at_mixpanel())) == len(at_mixpanel()) == number + 1
            assert set(at_amplitude()) == set(at_mixpanel())
            assert ids(vendors.amplitude) and ids(amplitude.stored), "both ways were taken"
            assert any(event["user_id"] == "ada" for event in vendors.amplitude if event.get("user_id"))
            assert not amplitude.repeated and not mixpanel.repeated
            await browser.close()
    files.shutdown()
    files.server_close()
