"""PostHog: events and person properties through `/batch/`."""

from analytics_api.deliver.providers.posthog.provider import make

__all__ = ["make"]
