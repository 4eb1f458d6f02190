"""The browser script and the dashboard in the package are those that `make web` makes of `web/`."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = ROOT / "web" / "sdk"
BUILT = ROOT / "src" / "analytics_api" / "show" / "static" / "browser"
MOST_GZIP = 5_120
DASHBOARD = ROOT / "web" / "dashboard"
PAGES = ROOT / "src" / "analytics_api" / "show" / "static" / "dashboard"


@pytest.fixture
def manifest() -> dict[str, str | int]:
    read: dict[str, str | int] = json.loads((BUILT / "manifest.json").read_text())
    return read


def test_the_script_is_as_new_as_its_sources(manifest: dict[str, str | int]) -> None:
    paths = [path for path in (SDK / "src").rglob("*") if path.is_file()] + [SDK / "build.js"]
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(SDK).as_posix() for path in paths):
        digest.update(name.encode() + b"\0" + (SDK / name).read_bytes())
    assert manifest["sources"] == digest.hexdigest(), "run `make web` and commit what it writes"


def test_the_compressed_forms_and_the_hash_are_those_of_the_script(manifest: dict[str, str | int]) -> None:
    code = (BUILT / "script.js").read_bytes()
    assert gzip.decompress((BUILT / "script.js.gz").read_bytes()) == code
    assert manifest["integrity"] == "sha384-" + base64.b64encode(hashlib.sha384(code).digest()).decode()


def test_the_script_is_small(manifest: dict[str, str | int]) -> None:
    packed = (BUILT / "script.js.gz").stat().st_size
    assert manifest["gzip"] == packed <= MOST_GZIP


def _hash_of(folder: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file()):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes())
    return digest.hexdigest()


def test_the_dashboard_is_as_new_as_its_sources() -> None:
    manifest = json.loads((PAGES / "manifest.json").read_text())
    paths = [DASHBOARD / name for name in ("index.html", "vite.config.ts", "build.js", "package.json")]
    paths += [*(DASHBOARD / "src").rglob("*"), *(DASHBOARD / "public").rglob("*")]
    assert manifest["sources"] == _hash_of(DASHBOARD, paths), "run `make web` and commit what it writes"
    built = [path for path in PAGES.rglob("*") if path.name != "manifest.json"]
    assert manifest["version"] == _hash_of(PAGES, built)[:12]


def _written_by(script: str) -> str:
    """What a script of the dashboard would write now."""
    spec = importlib.util.spec_from_file_location("dashboard_script", DASHBOARD / script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text: str = module.text()
    return text


def test_the_dashboard_knows_the_names_that_it_translates() -> None:
    described = (DASHBOARD / "api" / "words.json").read_text()
    assert described == _written_by("words.py"), "run `make web-types`, translate what is new, and `make web`"


def test_the_dashboard_knows_the_calls_of_the_api_as_they_are() -> None:
    described = (DASHBOARD / "api" / "openapi.json").read_text()
    assert described == _written_by("openapi.py"), (
        "run `make web-types`, mend what no longer fits, and `make web`"
    )
    types = (DASHBOARD / "src" / "api" / "schema.d.ts").read_text()
    assert hashlib.sha256(described.encode()).hexdigest() in types[:200], "run `make web-types`"


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if "node_modules/" in name}
    assert packages
    for name, entry in packages.items():
        assert entry.get("link") or ("integrity" in entry and "resolved" not in entry), name
