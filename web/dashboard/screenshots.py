"""Pictures of every page, tab and sheet in four modes: light and dark, on a desk and on a phone. `make screenshots` runs it.

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
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page

from tests.support.browser import chromium
from tests.support.dashboard import scroll_through
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


@contextmanager
def guarded_server() -> Iterator[str]:
    """A server that asks for a login: its URL."""
    env = {"ANALYTICS__SANDBOX_MODE": "false", "ANALYTICS__ADMIN_PASSWORD": "four words with spaces"}
    with tempfile.TemporaryDirectory() as folder, ServerProcess(env, Path(folder), "run") as server:
        yield server.start().url
        server.stop()


@dataclass(frozen=True)
class Shot:
    """A picture: where, and what is pressed there first (a key, or the name of a button)."""

    name: str
    path: str
    press: str = ""


LOGIN = Shot("login", "/dashboard/login")
SHEETS = [
    Shot("sheet-figure", "overview", "About People a day"),
    Shot("sheet-notes", "overview", "Notes"),
    Shot("sheet-filter", "overview", "key f"),
    Shot("sheet-share", "overview", "Share this view"),
    Shot("sheet-views", "overview", "Saved views"),
    Shot("sheet-keys", "overview", "key ?"),
    Shot("sheet-search", "overview", "key /"),
    Shot("sheet-goal", "goals", "Set a goal"),
    Shot("sheet-event", "events?type=signup_completed", "Signup completed"),
    Shot("sheet-destination", "destinations", "Add a destination"),
    Shot("sheet-replay", "destinations", "Send again…"),
    Shot("sheet-rule", "alerts", "Add a rule"),
    Shot("sheet-channel", "alerts", "Add"),
    Shot("sheet-key", "settings?tab=keys", "Make a key"),
    Shot("sheet-invitation", "settings?tab=members", "Invite"),
]


def shots(url: str, project: str) -> list[Shot]:
    """All pages, each tab of the settings, a person, what is seen without a login, and the sheets. Makes a share link for one."""
    api = httpx.Client(base_url=f"{url}/api/v1/analytics", params={"project": project}, timeout=60)
    user = api.get("/users", params={"days": 30, "limit": 1}).json()["users"][0]["user_id"]
    link = api.post(
        "/shares", json={"view": "overview", "name": "Screenshots", "password": "four words with spaces"}
    )
    token = link.json()["token"] if link.is_success else ""
    pages = [Shot(_file_name(path), path) for path in page_paths()]
    tabs = [Shot(f"settings-{tab}", f"settings?tab={tab}") for tab in ("keys", "members", "privacy")]
    return [
        *pages,
        *tabs,
        Shot("overview-24h", "overview?range=24h&metric=page_views"),
        Shot("overview-24h-sessions", "overview?range=24h&metric=sessions"),
        Shot("overview-filtered", 'overview?filter={"path":"context.country","op":"is","value":"DE"}'),
        Shot("person", f"users/{user}"),
        Shot("person-erase", f"users/{user}", "Erase…"),
        Shot("onboarding", "/dashboard/p/default/overview"),
        Shot("invitation", "/dashboard/invitation#none"),
        Shot("share-password", f"/dashboard/share#{token}"),
        *SHEETS,
    ]


def take(
    browser: Browser, base: str, shot: Shot, folder: Path, *, whole: bool, modes: list[str], locale: str
) -> None:
    """One picture in all modes."""
    for size, (width, height, scale) in SIZES.items():
        for scheme in ("light", "dark"):
            if modes and f"{size}-{scheme}" not in modes:
                continue
            context = browser.new_context(
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                color_scheme="dark" if scheme == "dark" else "light",
                reduced_motion="reduce",
                locale=locale,
            )
            page = context.new_page()
            page.on(
                "console",
                lambda message: print(shot.name, message.text) if message.type == "error" else None,
            )
            page.on("pageerror", lambda error: print(shot.name, error))
            page.goto(
                base.partition("/dashboard")[0] + shot.path if shot.path[0] == "/" else f"{base}/{shot.path}"
            )
            settle(page)
            if shot.press:
                press(page, shot.press)
            elif page.query_selector("main"):
                scroll_through(page)
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(
                path=folder / f"{shot.name}-{size}-{scheme}.png", full_page=whole and not shot.press
            )
            context.close()


def press(page: Page, what: str) -> None:
    """A key, or a button; one that is in the drawer on a phone is looked for there."""
    if what.startswith("key "):
        page.keyboard.press(what.removeprefix("key "))
    else:
        button = page.get_by_role("button", name=what, exact=what == "Add").first
        if not button.is_visible():
            page.get_by_role("button", name="More").click()
            button = page.locator(".side").get_by_role("button", name=what)
        button.click()
    page.wait_for_selector("dialog[open]")
    page.wait_for_selector("[aria-busy=true]", state="detached")


def settle(page: Page) -> None:
    """Wait until nothing is loading."""
    page.wait_for_selector("main > *, form, h1")
    page.wait_for_selector(".skeleton, [aria-busy=true]", state="detached", timeout=60_000)
    page.wait_for_timeout(SETTLED_MS)


def _file_name(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.partition("?")[0])


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running server; default: one is started")
    parser.add_argument("--project", default="demo")
    parser.add_argument("--only", nargs="*", help="names, such as overview or settings-keys")
    parser.add_argument("--modes", nargs="*", default=[], help="such as 1440x900-dark")
    parser.add_argument("--screen", action="store_true", help="what fits on the screen, not the whole page")
    parser.add_argument(
        "--locale",
        default="en-US",
        help="of the browser, such as de-DE; sheets are opened by their English names",
    )
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    def run(url: str) -> None:
        base = f"{url}/dashboard/p/{given.project}"
        with chromium() as browser:
            if not given.only or LOGIN.name in given.only:
                with guarded_server() as other:
                    take(
                        browser,
                        f"{other}/dashboard",
                        LOGIN,
                        given.out,
                        whole=False,
                        modes=given.modes,
                        locale=given.locale,
                    )
            for shot in shots(url, given.project):
                if not given.only or shot.name in given.only:
                    take(
                        browser,
                        base,
                        shot,
                        given.out,
                        whole=not given.screen,
                        modes=given.modes,
                        locale=given.locale,
                    )

    if given.url:
        run(given.url)
    else:
        with demo_server() as url:
            run(url)


if __name__ == "__main__":
    main()
