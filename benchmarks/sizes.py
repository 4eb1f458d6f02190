"""Bytes that a page loads for its browser client: ours, and other vendors' packages of npm in the least use that each documents."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent / "browser"
SCRIPT = ROOT / "src" / "analytics_api" / "show" / "static" / "browser" / "script.js"
SDK = ROOT / "web" / "sdk" / "src"

OURS = {
    "client": f'import {{ AnalyticsClient }} from "{SDK}/index.ts"; new AnalyticsClient().track("a")',
    "client, Vue plugin and composables": (
        f'import {{ createAnalytics, useAnalytics }} from "{SDK}/vue/index.ts"; globalThis.x = [createAnalytics(), useAnalytics]'
    ),
}
OTHERS = {
    "@plausible-analytics/tracker": (
        'import { init, track } from "@plausible-analytics/tracker"; init({ domain: "a" }); track("a", {})'
    ),
    "@segment/analytics-next": (
        'import { AnalyticsBrowser } from "@segment/analytics-next"; AnalyticsBrowser.load({ writeKey: "a" }).track("a")'
    ),
    "mixpanel-browser (core)": (
        'import mixpanel from "mixpanel-browser/src/loaders/loader-module-core"; mixpanel.init("a"); mixpanel.track("a")'
    ),
    "@amplitude/analytics-browser": 'import { init, track } from "@amplitude/analytics-browser"; init("a"); track("a")',
    "posthog-js": 'import posthog from "posthog-js"; posthog.init("a"); posthog.capture("a")',
}


def measure() -> Iterator[str]:
    """Lines with name, minified bytes and gzip bytes. Installs the other packages on first use; without them says so."""
    script = SCRIPT.read_bytes()
    yield _line("ours: script tag, all of it", script)
    if not _installed():
        yield "  others: not measured, their packages could not be installed"
        return
    for name, source in OURS.items():
        yield _line(f"ours: {name}", _bundle(source))
    for name, source in OTHERS.items():
        yield _line(f"{name} {_version(name)}", _bundle(source), len(gzip.compress(script, 9)))


def _line(name: str, code: bytes, ours: int | None = None) -> str:
    size = len(gzip.compress(code, 9))
    times = "" if ours is None else f"  {size / ours:5.1f} x ours"
    return f"  {name:<44} {len(code):>8,} bytes  {size:>8,} gzip{times}"


def _version(name: str) -> str:
    package = HERE / "node_modules" / name.split(" ")[0] / "package.json"
    return str(json.loads(package.read_text())["version"])


def _node() -> dict[str, str]:
    return {
        **os.environ,
        "NODE_USE_SYSTEM_CA": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def _installed() -> bool:
    if (HERE / "node_modules" / "posthog-js").exists():
        return True
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--silent"],
        cwd=HERE,
        env=_node(),
    )
    return done.returncode == 0


def _bundle(source: str) -> bytes:
    """One file with what `source` needs; the peers that an application has anyway stay outside."""
    esbuild = str(HERE / "node_modules" / "esbuild" / "bin" / "esbuild")
    command = ["node", esbuild, "--bundle", "--minify", "--format=esm"]
    options = ["--target=es2020", "--external:vue", "--external:vue-router", "--log-level=error"]
    return subprocess.run(
        [*command, *options], cwd=HERE, env=_node(), input=source.encode(), stdout=subprocess.PIPE, check=True
    ).stdout
