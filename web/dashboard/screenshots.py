"""Pictures of every page in four modes: light and dark, on a desk and on a phone. `make screenshots` runs it.

Without --url it starts a server of its own with the made-up data of `analytics-api demo`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support.browser import chromium
from tests.support.processes import ServerProcess, clean_environment

PAGES = Path(__file__).parent / "src" / "pages" / "index.ts"
SIZES = {"1440x900": (1440, 900, 1), "390x844": (390, 844, 2)}
SETTLED_MS = 400


def page_paths() -> list[str]:
    """Paths of all pages, from their list."""
    found = re.findall(r"path: '([^']+)'", PAGES.read_text())
    return [path for path in found if ":" not in path]


@contextmanager
def demo_server() -> Iterator[str]:
    """A server with a project `demo`: its URL."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "analytics_api", "demo"], cwd=folder, env=clean_environment({}), check=True
        )
        with ServerProcess({"ANALYTICS__SANDBOX_MODE": "true"}, Path(folder), "run") as server:
            yield server.start().url
            server.stop()


def take(browser: Browser, base: str, path: str, folder: Path, *, whole: bool, modes: list[str]) -> None:
    """One page in all modes."""
    for size, (width, height, scale) in SIZES.items():
        for scheme in ("light", "dark"):
            if modes and f"{size}-{scheme}" not in modes:
                continue
            context = browser.new_context(
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()
            page.on("console", lambda message: message.type == "error" and print(path, message.text))
            page.on("pageerror", lambda error: print(path, error))
            page.goto(f"{base}/{path}")
            settle(page)
            name = re.sub(r"[^a-z0-9]+", "-", path.partition("?")[0])
            page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=whole)
            context.close()


def settle(page: Page) -> None:
    """Wait until nothing is loading."""
    page.wait_for_selector("main > *")
    page.wait_for_selector(".skeleton, [aria-busy=true]", state="detached", timeout=60_000)
    page.wait_for_timeout(SETTLED_MS)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running server; default: one is started")
    parser.add_argument("--project", default="demo")
    parser.add_argument("--only", nargs="*", help="paths of pages")
    parser.add_argument("--modes", nargs="*", default=[], help="such as 1440x900-dark")
    parser.add_argument("--screen", action="store_true", help="what fits on the screen, not the whole page")
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    def run(url: str) -> None:
        base = f"{url}/dashboard/p/{given.project}"
        with chromium() as browser:
            for path in given.only or page_paths():
                take(browser, base, path, given.out, whole=not given.screen, modes=given.modes)

    if given.url:
        run(given.url)
    else:
        with demo_server() as url:
            run(url)


if __name__ == "__main__":
    main()
