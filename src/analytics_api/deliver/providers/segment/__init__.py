"""Segment, and what speaks its language, such as RudderStack: `/v1/batch`."""

from analytics_api.deliver.providers.segment.provider import make

__all__ = ["make"]
