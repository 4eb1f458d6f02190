"""Providers by name, ours and those of other packages."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from analytics_api.deliver.providers.registry import known_providers, make_provider
from analytics_api.errors import ConfigurationError

PROVIDER = """
from analytics_api.deliver.providers.sandbox.provider import Sandbox

class Acme(Sandbox):
    name = "acme"

def make(options):
    provider = Acme()
    provider.secrets = (options["key"],)
    return provider
"""


def test_ours() -> None:
    assert {"amplitude", "mixpanel", "sandbox"} <= set(known_providers())


def test_another_package_brings_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_analytics.py").write_text(PROVIDER)
    metadata = tmp_path / "acme_analytics-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-analytics\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[analytics_api.destinations]\nacme = acme_analytics:make\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    try:
        assert "acme" in known_providers()
        provider = make_provider("acme", {"key": "secret"})
    finally:
        sys.modules.pop("acme_analytics", None)
    assert (provider.name, provider.secrets) == ("acme", ("secret",))


def test_one_that_nobody_brings() -> None:
    with pytest.raises(ConfigurationError, match="install the package that brings it"):
        make_provider("acme", {})


@pytest.mark.parametrize(("kind", "option"), [("amplitude", "api_key"), ("mixpanel", "token")])
def test_missing_credentials_are_named(kind: str, option: str) -> None:
    with pytest.raises(ConfigurationError, match=f"destination {kind}: {option} is missing"):
        make_provider(kind, {})
