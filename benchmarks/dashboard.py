"""How long the dashboard takes from a reload to painted numbers, and an event from its answer to the live page, with the made-up
year of `analytics-api demo`, in Chromium.

python -m benchmarks.dashboard [--days 365] [--rounds 7] [--url http://127.0.0.1:8000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Page

from tests.support.browser import chromium
from tests.support.processes import ServerProcess, clean_environment

# Two frames after the last card has its number it is on the screen; the clock starts with the navigation. It is noted on the
# page: the page's own policy forbids what would poll a variable.
WATCH = """
new MutationObserver((_, watching) => {
  if (document.querySelectorAll('[data-metric][data-value]').length < 6) return
  watching.disconnect()
  requestAnimationFrame(() => requestAnimationFrame(() => { document.documentElement.dataset.painted = performance.now() }))
}).observe(document, {subtree: true, childList: true, attributes: true})
"""
FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
SCRIPTS = (
    "() => performance.getEntriesByType('resource').filter((each) => each.name.endsWith('.js'))"
    ".reduce((sum, each) => sum + each.encodedBodySize, 0)"
)


@contextmanager
def demo_server(days: int) -> Iterator[str]:
    """A server with the made-up project: its URL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "analytics_api", "demo", "--days", str(days)]
        subprocess.run(command, cwd=folder, env=clean_environment({}), check=True)
        with ServerProcess({"ANALYTICS__SANDBOX_MODE": "true"}, folder, "run") as server:
            yield server.start().url
            server.stop()


def measured(page: Page, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the first paint and to the numbers, of each reload. The first load, with a cold cache, is not counted."""
    first: list[float] = []
    numbers: list[float] = []
    for number in range(rounds + 1):
        if number:
            page.reload()
        painted = page.locator("html[data-painted]").get_attribute("data-painted")
        if number:
            first.append(page.evaluate(FIRST_PAINT))
            numbers.append(float(painted or "nan"))
    return first, numbers


def measured_live(page: Page, url: str, rounds: int) -> list[float]:
    """Milliseconds from the answer to a POST of an event until it stands on the live page, of each event."""
    page.goto(f"{url}/dashboard/p/demo/live")
    page.get_by_text("live", exact=True).wait_for()
    times: list[float] = []
    with httpx.Client(base_url=f"{url}/api/v1/analytics", params={"project": "demo"}, timeout=60) as api:
        for number in range(rounds):
            user = f"benchmark-{time.time_ns()}"
            # It comes at any moment between two looks of the server for new events.
            page.wait_for_timeout(137 * number % 500)
            api.post("/events", json={"event_type": "page_view", "user_id": user}).raise_for_status()
            began = time.perf_counter()
            page.get_by_text(user).wait_for()
            times.append((time.perf_counter() - began) * 1000)
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=365, help="of made-up history")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--url", help="a running server with the project demo; default: one is started")
    given = parser.parse_args()
    with nullcontext(given.url) if given.url else demo_server(given.days) as url, chromium() as browser:
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.add_init_script(WATCH)
        page.goto(f"{url}/dashboard/p/demo/overview")
        first, numbers = measured(page, given.rounds)
        scripts = page.evaluate(SCRIPTS)
        live = measured_live(page, url, 3 * given.rounds)
    print(
        f"event answered to painted on the live page: {median(live):.0f} ms "
        f"(median of {len(live)}, {min(live):.0f} to {max(live):.0f})"
    )
    for name, times in (("first paint", first), ("numbers painted", numbers)):
        print(
            f"reload to {name}: {median(times):.0f} ms (median of {len(times)}, {min(times):.0f} to {max(times):.0f})"
        )
    print(f"ratio of the two: {median(numbers) / median(first):.2f}; {scripts / 1000:.1f} KB of JavaScript")


if __name__ == "__main__":
    main()
