"""Amplitude: events and `$identify` through the batch endpoint of its HTTP API V2."""

from analytics_api.deliver.providers.amplitude.provider import make

__all__ = ["make"]
