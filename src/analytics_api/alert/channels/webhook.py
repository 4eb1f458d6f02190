"""Alerts to a webhook: JSON, signed as Standard Webhooks says, like the destination of that name."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from analytics_api.alert.channels.port import Failed, Message, Outlets, post_message, required
from analytics_api.outbound.addresses import checked_url
from analytics_api.outbound.signing import signed_headers, signing_key


class Webhook:
    """Sends `{"type": "alert.firing", "id", "timestamp", "data"}` to one URL; `webhook-id` is the notification's id."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._key = signing_key(secret, "webhook")

    async def send(self, message: Message, outlets: Outlets) -> Failed | None:
        """One signed request."""
        content = {
            "type": f"alert.{message.notice.value}",
            "id": str(message.id),
            "timestamp": message.at.isoformat(),
            "data": message.facts,
        }
        body = json.dumps(content, ensure_ascii=False).encode()
        headers = signed_headers(self._key, str(message.id), body, int(time.time()))
        return await post_message(outlets.client, self._url, body, headers)


def make(options: Mapping[str, str]) -> Webhook:
    """From `url` and `secret` (`whsec_` and base64, or any text of at least 16 bytes)."""
    return Webhook(checked_url(required(options, "url"), "webhook"), required(options, "secret"))
