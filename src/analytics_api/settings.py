"""Settings from `ANALYTICS__*` environment variables and `.env.analytics`. Read only by the composition roots."""

from __future__ import annotations

import difflib
import os
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from analytics_api.domain.zones import zone_names
from analytics_api.errors import ConfigurationError

PREFIX = "ANALYTICS__"
ENV_FILE = ".env.analytics"

PATH = r"^(/[A-Za-z0-9._~-]+)+$"
"""Of a URL, without query and without a slash at its end."""


class Settings(BaseSettings):
    """Every setting, with its default. Documented one by one in `.env.analytics.example`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_file_encoding="utf-8", extra="forbid"
    )

    # Names given by the implementation guide.
    enabled: bool = True
    amplitude_api_key: SecretStr | None = None
    mixpanel_token: SecretStr | None = None
    enable_pii_tracking: bool = False
    sandbox_mode: bool = False
    batch_size: int = Field(100, ge=1, le=2000)
    flush_interval_seconds: float = Field(60, gt=0, le=3600)
    data_retention_days: int = Field(365, ge=1)

    # Where it runs.
    database_url: SecretStr | None = None
    data_dir: Path = Path(".data")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Providers.
    amplitude_url: str = "https://api2.amplitude.com"
    mixpanel_url: str = "https://api.mixpanel.com"
    mixpanel_project_id: str | None = None
    amplitude_rules: str | None = None
    mixpanel_rules: str | None = None
    webhook_url: str | None = None
    webhook_secret: SecretStr | None = None
    posthog_api_key: SecretStr | None = None
    posthog_url: str = "https://us.i.posthog.com"
    # Of their deletion calls.
    amplitude_secret_key: SecretStr | None = None
    amplitude_deletion_url: str | None = None
    mixpanel_gdpr_token: SecretStr | None = None
    mixpanel_deletion_url: str | None = None
    posthog_personal_api_key: SecretStr | None = None
    posthog_project_id: str | None = None
    posthog_deletion_url: str | None = None
    segment_write_key: SecretStr | None = None
    segment_url: str = "https://api.segment.io"
    ga4_measurement_id: str | None = None
    ga4_api_secret: SecretStr | None = None
    ga4_url: str = "https://www.google-analytics.com"
    stripe_webhook_secrets: SecretStr | None = None
    secret_key: SecretStr | None = Field(None, min_length=16)
    allow_private_destinations: bool = False

    # Logins.
    admin_password: SecretStr | None = Field(None, min_length=12, max_length=256)
    query_keys: bool = True
    session_idle_hours: int = Field(72, ge=1, le=8760)
    session_days: int = Field(30, ge=1, le=365)

    # The mail server, for alerts.
    smtp_host: str | None = None
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str | None = Field(None, pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+$")

    # The default project, when it is made.
    time_zone: str = "UTC"
    currency: str = Field("USD", pattern="^[A-Z]{3}$")

    # Numbers.
    late_days: int = Field(7, ge=0, le=365)
    dedupe_days: int = Field(30, ge=1, le=365)
    partition_interval: Literal["month", "week", "day"] = "month"

    # Intake.
    max_event_bytes: int = Field(65_536, ge=1_024)
    max_batch_events: int = Field(5_000, ge=1)
    max_batch_bytes: int = Field(5_242_880, ge=1_024)
    write_key_events_per_second: int = Field(10_000, ge=0)
    server_key_events_per_second: int = Field(0, ge=0)
    client_timeout_seconds: float = Field(30, ge=1, le=3600)
    intake_queue_bytes: int = Field(67_108_864, ge=1_048_576)
    track_api_requests: bool = True
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    geoip_database: Path | None = None

    # Pages. Both names are free, because content blockers know the usual ones.
    browser_script_path: str = Field("/sdk/a.js", pattern=PATH)
    collect_path: str | None = Field(None, pattern=PATH)
    track_dashboard: bool = False

    @field_validator(
        "database_url",
        "amplitude_api_key",
        "mixpanel_token",
        "mixpanel_project_id",
        "amplitude_rules",
        "mixpanel_rules",
        "webhook_url",
        "webhook_secret",
        "posthog_api_key",
        "amplitude_secret_key",
        "amplitude_deletion_url",
        "mixpanel_gdpr_token",
        "mixpanel_deletion_url",
        "posthog_personal_api_key",
        "posthog_project_id",
        "posthog_deletion_url",
        "segment_write_key",
        "ga4_measurement_id",
        "ga4_api_secret",
        "stripe_webhook_secrets",
        "secret_key",
        "admin_password",
        "smtp_host",
        "smtp_username",
        "smtp_password",
        "smtp_from",
        "geoip_database",
        "collect_path",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        networks = value.split(",") if isinstance(value, str) else value
        if not isinstance(networks, list | tuple):
            return networks
        listed = tuple(str(network).strip() for network in networks if str(network).strip())
        for network in listed:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError(
                    f"{network} is no network: name addresses or CIDR blocks, comma between"
                ) from None
        return listed

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in zone_names():
            close = difflib.get_close_matches(value, zone_names(), n=1)
            raise ValueError(f"is no IANA time zone{f'; did you mean {close[0]}?' if close else ''}")
        return value

    @field_validator("amplitude_url", "mixpanel_url", "posthog_url", "segment_url", "ga4_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @property
    def loopback(self) -> bool:
        """Whether the server is bound to this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def load_settings(**overrides: object) -> Settings:
    """Read the settings; raise ConfigurationError naming the variable and the fix."""
    _refuse_unknown()
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigurationError(_sentence(error)) from None


def _refuse_unknown() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise ConfigurationError(_unknown(name.upper(), known))


def _unknown(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"see {ENV_FILE}.example for the list."
    return f"{name} is not a setting; {hint}"


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    variable = name.upper() if name.upper().startswith(PREFIX) else PREFIX + name.upper()
    if first["type"] == "extra_forbidden":
        return _unknown(variable, {PREFIX + field.upper() for field in Settings.model_fields})
    message = first["msg"].removeprefix("Value error, ")
    secret = any(mark in variable for mark in ("KEY", "TOKEN", "URL", "SECRET", "PASSWORD"))
    given = "" if secret else f" (got {first['input']!r})"
    return f"{variable}: {message[0].lower()}{message[1:]}{given}."
