"""What a page gave to a vendor itself does not go there again from here."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_api.deliver.providers.amplitude.provider import Amplitude
from analytics_api.deliver.rendering import render
from analytics_api.deliver.rules import NO_RULES
from analytics_api.domain.outcome import Skipped, SkipReason
from tests.support.stored import stored_event


@pytest.mark.parametrize(
    ("context", "skipped"),
    [
        ({"forwarded": ["amplitude"]}, True),
        ({"forwarded": ["mixpanel", "amplitude"]}, True),
        ({"forwarded": ["mixpanel"]}, False),
        ({"forwarded": []}, False),
        ({"forwarded": "amplitude"}, False),
        ({"forwarded": {"amplitude": True}}, False),
        ({"page": {"forwarded": ["amplitude"]}}, False),
        ({"title": '"forwarded": ["amplitude"]'}, False),
        ({}, False),
    ],
)
def test_what_the_page_has_forwarded_is_skipped(context: dict[str, Any], skipped: bool) -> None:
    made = render(Amplitude("key"), NO_RULES, stored_event(context=context))
    assert (made.outcome == Skipped(SkipReason.FORWARDED)) is skipped
