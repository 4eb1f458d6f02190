"""Sandbox: each payload is logged here instead of being sent anywhere."""

from analytics_api.deliver.providers.sandbox.provider import make

__all__ = ["make"]
