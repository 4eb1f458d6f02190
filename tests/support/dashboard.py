"""The dashboard in a real browser, on a server with made-up history: what it shows, and what it complains about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState

from tests.support.processes import ServerProcess

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
MODES: dict[str, dict[str, Any]] = {
    f"{size}-{scheme}": {
        "viewport": {"width": width, "height": height},
        "color_scheme": scheme,
        "reduced_motion": "reduce",
    }
    for size, width, height in (("desk", 1440, 900), ("phone", 390, 844))
    for scheme in ("light", "dark")
}
_WATCH = "document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"


@dataclass
class Looked:
    """A page, and all it complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@dataclass
class Dashboard:
    """A browser and the server that it looks at."""

    browser: Browser
    server: ServerProcess
    project: str = "demo"
    key: str = ""
    """An admin key, where the server asks for one."""
    login: StorageState | None = None
    """What a browser keeps of a login, where the server asks for one."""

    @property
    def api(self) -> httpx.Client:
        """The same figures, asked for directly."""
        return httpx.Client(
            base_url=f"{self.server.url}/api/v1/analytics",
            params={"project": self.project},
            headers={"X-API-Key": self.key} if self.key else {},
            timeout=60,
            verify=False,
        )

    @contextmanager
    def open(self, path: str, **options: Any) -> Iterator[Looked]:
        """A page of the project once it has loaded; console errors and policy violations are kept."""
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context: BrowserContext = self.browser.new_context(storage_state=self.login, **options)
        try:
            context.add_init_script(_WATCH)
            looked = Looked(context.new_page())
            complaints = looked.complaints
            looked.page.on(
                "console", lambda line: complaints.extend([line.text] if line.type == "error" else [])
            )
            looked.page.on("pageerror", lambda error: complaints.append(str(error)))
            looked.page.goto(f"{self.server.url}/dashboard/p/{self.project}/{path}")
            settle(looked.page)
            yield looked
        finally:
            context.close()


def settle(page: Page) -> None:
    """Wait until nothing is loading."""
    page.wait_for_selector("main > *", timeout=60_000)
    page.wait_for_selector(".skeleton, [aria-busy=true]", state="detached", timeout=60_000)


def scroll_through(page: Page) -> None:
    """Down to the end and up again: what is below the fold is loaded when somebody comes near it."""
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    settle(page)
    page.evaluate("scrollTo(0, 0)")


def until(page: Page, condition: Callable[[], bool], what: str, *, refresh: bool = False) -> None:
    """Wait until a condition holds, bringing the page's figures anew meanwhile if asked to; fails after a minute."""
    for _ in range(300):
        if condition():
            return
        if refresh:
            page.keyboard.press("r")
        page.wait_for_timeout(200)
    raise AssertionError(f"waited for {what}")


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.1 A and AA; the test is skipped where axe is not installed."""
    if not AXE.exists():
        pytest.skip("needs web/node_modules (make web-check)")
    page.evaluate(AXE.read_text() + "; undefined")
    found = page.evaluate("(rules) => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:4]]}"
        for each in found["violations"]
    ]
