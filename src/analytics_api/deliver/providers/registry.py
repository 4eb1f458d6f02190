"""Providers by name: ours, and those that other packages bring as entry points `analytics_api.destinations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from analytics_api.deliver.providers import amplitude, ga4, mixpanel, posthog, sandbox, segment, webhook
from analytics_api.deliver.providers.port import Provider
from analytics_api.errors import ConfigurationError

Factory = Callable[[Mapping[str, str]], Provider]
"""Makes a provider from its options (credentials, address). Raises ConfigurationError naming the option."""

ENTRY_POINTS = "analytics_api.destinations"

FACTORIES: dict[str, Factory] = {
    "amplitude": amplitude.make,
    "ga4": ga4.make,
    "mixpanel": mixpanel.make,
    "posthog": posthog.make,
    "sandbox": sandbox.make,
    "segment": segment.make,
    "webhook": webhook.make,
}


def make_provider(kind: str, options: Mapping[str, str]) -> Provider:
    """A provider of that kind. Raises ConfigurationError when there is none or an option is missing."""
    factory = FACTORIES.get(kind)
    if factory is None:
        found = entry_points(group=ENTRY_POINTS, name=kind)
        if not found:
            raise ConfigurationError(
                f"destination {kind!r} is not known: use one of {', '.join(known_providers())},"
                " or install the package that brings it."
            )
        factory = next(iter(found)).load()
    return factory(options)


def known_providers() -> list[str]:
    """Names of all providers that can be used here."""
    return sorted({*FACTORIES, *entry_points(group=ENTRY_POINTS).names})
