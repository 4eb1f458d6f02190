"""The providers as real HTTP servers on loopback, written from their documentation.

They import nothing of the product: they check what arrives as strictly as the documentation says, drop repetitions as
documented, and do on request what providers do on bad days.
"""

from tests.support.providers.amplitude import AmplitudeStandIn
from tests.support.providers.ga4 import GoogleAnalyticsStandIn
from tests.support.providers.mixpanel import MixpanelStandIn
from tests.support.providers.pages import PageVendors
from tests.support.providers.posthog import PostHogStandIn
from tests.support.providers.segment import SegmentStandIn
from tests.support.providers.server import Fault, StandIn
from tests.support.providers.webhook import WebhookStandIn

__all__ = [
    "AmplitudeStandIn",
    "Fault",
    "GoogleAnalyticsStandIn",
    "MixpanelStandIn",
    "PageVendors",
    "PostHogStandIn",
    "SegmentStandIn",
    "StandIn",
    "WebhookStandIn",
]
