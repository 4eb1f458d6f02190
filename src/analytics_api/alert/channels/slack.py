"""Alerts to Slack, and to what understands its incoming webhooks (Mattermost, Rocket.Chat, Discord's `/slack`).

Source of the format: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from analytics_api.alert.channels.port import Failed, Message, Outlets, post_message, required
from analytics_api.outbound.addresses import checked_url

_LONGEST = 3_000
"""Characters of the sentence; Slack cuts a message off at 40,000 and folds it long before."""


class Slack:
    """Sends one text. The URL is the secret: who knows it can post."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, message: Message, outlets: Outlets) -> Failed | None:
        """One request."""
        text = f"*{_escaped(message.title)}*\n{_escaped(message.facts['text'][:_LONGEST])}"
        return await post_message(outlets.client, self._url, json.dumps({"text": text}).encode())


def _escaped(text: str) -> str:
    """The three characters that Slack reads as markup (links, mentions of everybody)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def make(options: Mapping[str, str]) -> Slack:
    """From `url`, as Slack shows it when an incoming webhook is added."""
    return Slack(checked_url(required(options, "url"), "slack"))
