"""A configured destination: which provider, with which options, for which project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics_api.deliver.providers.port import Provider
from analytics_api.deliver.providers.registry import make_provider
from analytics_api.deliver.rules import NO_RULES, Rules, RuleSet
from analytics_api.store.projects import DEFAULT


@dataclass(frozen=True, slots=True)
class DestinationConfig:
    """What an operator sets. `options` hold secrets and are left out of `repr`."""

    provider: str
    """Name of a provider in the registry."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    name: str = ""
    """The destination's own name; empty: the provider's."""
    project: str = DEFAULT
    """Slug of the project whose events it receives."""
    rules: Rules | None = None
    """Those of the settings; None: those that are stored, if any."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination that can be sent to."""

    name: str
    provider: Provider
    credentials: str
    """Fingerprint of the options, by which changed ones are told."""
    muted: bool = False
    """Sandbox mode: events are passed over and counted, nothing is sent."""
    rules: RuleSet = NO_RULES


def open_destination(config: DestinationConfig, *, muted: bool) -> Destination:
    """Make the provider. Raises ConfigurationError when the options do not suffice."""
    text = json.dumps([config.provider, sorted(config.options.items())])
    return Destination(
        config.name or config.provider,
        make_provider(config.provider, config.options),
        hashlib.sha256(text.encode()).hexdigest()[:16],
        muted,
        NO_RULES if config.rules is None else RuleSet(config.rules),
    )
