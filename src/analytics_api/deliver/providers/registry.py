"""Providers by name: ours, and those that other packages bring as entry points `analytics_api.destinations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from analytics_api.deliver.providers.port import Provider
from analytics_api.errors import ConfigurationError

Factory = Callable[[Mapping[str, str]], Provider]
"""Makes a provider from its options (credentials, address). Raises ConfigurationError naming the option."""

ENTRY_POINTS = "analytics_api.destinations"

OURS = ("amplitude", "ga4", "mixpanel", "posthog", "sandbox", "segment", "webhook")
"""Each a package beside this one. It is imported when it is used: the official builders of some bring what takes 50 ms."""


def make_provider(kind: str, options: Mapping[str, str]) -> Provider:
    """A provider of that kind. Raises ConfigurationError when there is none or an option is missing."""
    return _factory(kind)(options)


def _factory(kind: str) -> Factory:
    if kind in OURS:
        return cast(Factory, import_module(f"analytics_api.deliver.providers.{kind}").make)
    found = entry_points(group=ENTRY_POINTS, name=kind)
    if not found:
        raise ConfigurationError(
            f"destination {kind!r} is not known: use one of {', '.join(known_providers())},"
            " or install the package that brings it."
        )
    return cast(Factory, next(iter(found)).load())


def known_providers() -> list[str]:
    """Names of all providers that can be used here."""
    return sorted({*OURS, *entry_points(group=ENTRY_POINTS).names})
