"""The kinds of channels: name, what it takes, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from analytics_api.alert.channels import mail, slack, webhook
from analytics_api.alert.channels.port import Channel


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """An entry of the registry."""

    plain: tuple[str, ...]
    """Options that may be shown."""
    secret: tuple[str, ...]
    """Options that are stored encrypted and never shown."""
    make: Callable[[Mapping[str, str]], Channel]
    """From the options. Raises ConfigurationError naming the one that is wrong."""


CHANNELS: dict[str, ChannelKind] = {
    "webhook": ChannelKind(("url",), ("secret",), webhook.make),
    "slack": ChannelKind((), ("url",), slack.make),
    "email": ChannelKind(("to",), (), mail.make),
}
