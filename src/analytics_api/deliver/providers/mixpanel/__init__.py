"""Mixpanel: events through `/import?strict=1`, profiles through `/engage`."""

from analytics_api.deliver.providers.mixpanel.provider import make

__all__ = ["make"]
