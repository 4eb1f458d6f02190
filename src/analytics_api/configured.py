"""What the settings name for deliveries: destinations, what requests go through, the key of secrets. Commands need no more."""

from __future__ import annotations

from pydantic import SecretStr

from analytics_api.deliver.rules import parse_rules
from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.clock import Clock
from analytics_api.errors import ConfigurationError
from analytics_api.outbound.connections import Client, make_client
from analytics_api.settings import PREFIX, Settings
from analytics_api.store.engine import Database
from analytics_api.store.secret_box import SecretBox, key_in


def make_destinations(
    settings: Settings, database: Database, client: Client, owner: str, clock: Clock
) -> Destinations:
    """The destinations that the settings name, and those that are added while everything runs."""
    return Destinations(
        database,
        settings_destinations(settings),
        client,
        owner=owner,
        sandbox_mode=settings.sandbox_mode,
        batch_size=settings.batch_size,
        box=secret_box(settings),
        guarded=added_client(settings),
        clock=clock,
    )


def added_client(settings: Settings) -> Client:
    """What requests to addresses that were added over the API go through: public ones only, unless the settings say."""
    return make_client(public_only=not settings.allow_private_destinations)


def settings_destinations(settings: Settings) -> list[DestinationConfig]:
    """The destinations that the settings name, all of the default project. Raises ConfigurationError."""
    configs = []
    for kind, (needed, others) in _SETTINGS.items():
        options = {option: setting_text(settings, f"{kind}_{option}") for option in (*needed, *others)}
        given = [option for option in needed if options[option]]
        if not given:
            continue
        for option in needed:
            if option not in given:
                raise ConfigurationError(
                    f"{PREFIX}{kind.upper()}_{option.upper()} is missing: {PREFIX}{kind.upper()}_{given[0].upper()} "
                    "needs it."
                )
        rules = setting_text(settings, f"{kind}_rules") if kind in _WITH_RULES else ""
        configs.append(
            DestinationConfig(
                kind,
                {name: value for name, value in options.items() if value},
                rules=parse_rules(rules, f"{PREFIX}{kind.upper()}_RULES") if rules else None,
            )
        )
    return configs


_SETTINGS = {
    "amplitude": (("api_key",), ("url", "secret_key", "deletion_url")),
    "mixpanel": (("token",), ("url", "project_id", "gdpr_token", "deletion_url")),
    "webhook": (("url", "secret"), ()),
    "posthog": (("api_key",), ("url", "personal_api_key", "project_id", "deletion_url")),
    "segment": (("write_key",), ("url",)),
    "ga4": (("measurement_id", "api_secret"), ("url",)),
}
"""Destinations that settings can name: the options without which it is not there, and the others."""


_WITH_RULES = ("amplitude", "mixpanel")
"""Those whose rules a setting can say; the others take them over the API."""


def setting_text(settings: Settings, name: str) -> str:
    """A setting, also a secret one, as text; "" for one that is not set."""
    value = getattr(settings, name)
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def secret_box(settings: Settings) -> SecretBox:
    """What encrypts the secrets of destinations: with SECRET_KEY, or beside the embedded database with a file's key."""

    def load() -> bytes:
        if settings.secret_key is not None:
            return settings.secret_key.get_secret_value().encode()
        if settings.database_url is None:
            return key_in(settings.data_dir)
        raise ConfigurationError(
            f"{PREFIX}SECRET_KEY is not set: set it to a text of 16 characters or more, the same in every process."
        )

    return SecretBox(load)
