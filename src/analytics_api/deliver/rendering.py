"""What goes out for an event: the destination's rules first, then the provider's form. Delivery and dry run share it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace

from analytics_api.deliver.providers.port import Provider, Rendered
from analytics_api.deliver.rules import RuleSet
from analytics_api.domain.consent import refuses_destination
from analytics_api.domain.event import StoredEvent
from analytics_api.domain.outcome import Dead, DeadKind, Skipped, SkipReason

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Made:
    """What an event has become."""

    outcome: Rendered
    sent_as: str
    """The event type after the rules."""


def render(provider: Provider, rules: RuleSet, event: StoredEvent, sent_as: str | None = None) -> Made:
    """The payloads of an event, or why there are none. Pure; raises nothing.

    `sent_as`: the event type that an attempt which may have arrived was made under. It stays, whatever the rules say by now,
    for Mixpanel and PostHog recognise a repetition by it, too.
    """
    name = event.event_type
    if _was_forwarded(event, provider.name):
        return Made(Skipped(SkipReason.FORWARDED), name)
    if _is_refused(event, provider.name):
        return Made(Skipped(SkipReason.CONSENT), name)
    try:
        ruled = rules.apply(event)
        if isinstance(ruled, Skipped):
            return Made(ruled, name)
        name = sent_as or ruled.event_type
        if ruled.event_type != name:
            ruled = replace(ruled, event_type=name)
        rendered = provider.render(ruled)
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        logger.exception("event %s cannot be rendered for %s", event.event_id, provider.name)
        rendered = Dead(f"the event cannot be put into the provider's form: {error}")
    if isinstance(rendered, Dead):
        rendered = replace(rendered, kind=DeadKind.FORM)
    return Made(rendered, name)


def _is_refused(event: StoredEvent, provider: str) -> bool:
    """Whether `context.consent` refuses this destination, by the name of its provider."""
    if '"consent"' not in event.context:
        return False
    return refuses_destination(json.loads(event.context).get("consent"), provider)


def _was_forwarded(event: StoredEvent, provider: str) -> bool:
    """Whether the browser client says in `context.forwarded`, a list of names, that its page gave the event to the provider."""
    if '"forwarded"' not in event.context:
        return False
    names = json.loads(event.context).get("forwarded")
    return isinstance(names, list) and provider in names
