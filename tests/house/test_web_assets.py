"""The browser script in the package is the one that `make web` makes of `web/sdk`."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = ROOT / "web" / "sdk"
BUILT = ROOT / "src" / "analytics_api" / "show" / "static" / "browser"
MOST_GZIP = 5_120


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


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if "node_modules/" in name}
    assert packages
    for name, entry in packages.items():
        assert entry.get("link") or ("integrity" in entry and "resolved" not in entry), name
