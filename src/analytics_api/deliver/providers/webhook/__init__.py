"""Webhook: signed batches of whole events to any address."""

from analytics_api.deliver.providers.webhook.provider import make

__all__ = ["make"]
