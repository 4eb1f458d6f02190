"""Destinations that the settings name, and the key that encrypts the secrets of those that are added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analytics_api.configured import secret_box, settings_destinations
from analytics_api.errors import ConfigurationError
from analytics_api.settings import Settings


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def test_the_settings_name_destinations() -> None:
    given = settings(
        amplitude_api_key="amplitude-key",
        mixpanel_token="token",
        mixpanel_project_id="7",
        webhook_url="https://example.org/hook",
        webhook_secret="a secret of sixteen",
        posthog_api_key="phc_1",
        segment_write_key="write-key",
        segment_url="https://rudder.example/",
        ga4_measurement_id="G-1",
        ga4_api_secret="ga4-secret",
    )
    found = {config.provider: dict(config.options) for config in settings_destinations(given)}
    assert found == {
        "amplitude": {"api_key": "amplitude-key", "url": "https://api2.amplitude.com"},
        "mixpanel": {"token": "token", "url": "https://api.mixpanel.com", "project_id": "7"},
        "webhook": {"url": "https://example.org/hook", "secret": "a secret of sixteen"},
        "posthog": {"api_key": "phc_1", "url": "https://us.i.posthog.com"},
        "segment": {"write_key": "write-key", "url": "https://rudder.example"},
        "ga4": {
            "measurement_id": "G-1",
            "api_secret": "ga4-secret",
            "url": "https://www.google-analytics.com",
        },
    }
    assert settings_destinations(settings()) == []


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"webhook_url": "https://example.org"}, "ANALYTICS__WEBHOOK_SECRET is missing"),
        ({"webhook_secret": "a secret of sixteen"}, "ANALYTICS__WEBHOOK_URL is missing"),
        ({"ga4_measurement_id": "G-1"}, "ANALYTICS__GA4_API_SECRET is missing"),
    ],
)
def test_half_a_destination_is_named(given: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        settings_destinations(settings(**given))


def test_an_external_database_needs_a_key_for_secrets_and_the_embedded_one_makes_it(tmp_path: Path) -> None:
    outside = secret_box(settings(database_url="postgresql://db/x"))
    with pytest.raises(ConfigurationError, match="ANALYTICS__SECRET_KEY is not set"):
        outside.seal({"api_key": "k"}, "here")
    inside = settings(data_dir=tmp_path)
    sealed = secret_box(inside).seal({"api_key": "k"}, "here")
    assert secret_box(inside).open(sealed, "here") == {"api_key": "k"}
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    given = settings(data_dir=tmp_path, secret_key="a key of sixteen characters")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        secret_box(given).open(sealed, "here")
