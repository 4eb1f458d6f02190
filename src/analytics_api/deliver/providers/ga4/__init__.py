"""Google Analytics 4 through its Measurement Protocol: `/mp/collect`."""

from analytics_api.deliver.providers.ga4.provider import make

__all__ = ["make"]
