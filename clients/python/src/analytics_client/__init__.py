"""Client of Analytics API: events out of a Python program, never raising, never blocking, losing nothing."""

import logging

from analytics_client.aio import AsyncAnalyticsClient
from analytics_client.client import AnalyticsClient
from analytics_client.machine import machine_id
from analytics_client.stats import Stats
from analytics_client.version import __version__

__all__ = ["AnalyticsClient", "AsyncAnalyticsClient", "Stats", "__version__", "machine_id"]

# Without it Python would print warnings on the terminal of a program that has set up no logging.
logging.getLogger("analytics_client").addHandler(logging.NullHandler())
