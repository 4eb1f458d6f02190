"""Where, with what and from where: fields of the context that address, user agent, page and referrer say."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from analytics_api.domain.event import EventType
from analytics_api.domain.plan import WarningKind
from analytics_api.ingest.draft import Draft, Reception
from analytics_api.ingest.enrichment.agents import LONGEST
from analytics_api.ingest.enrichment.channels import CHANNELS, UTM, clean_source, source_of
from analytics_api.ingest.enrichment.visitors import Visitor

_PAGE_VIEW = EventType.PAGE_VIEW.value

LONGEST_PATH = 2000
"""A longer one is not written a second time."""

LONGEST_ADDRESS = 64
"""An IPv6 address with a zone takes up to 56 characters."""

_CAMPAIGN = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "name",
    "utm_term": "term",
    "utm_content": "content",
}
"""The same in `context.campaign`, as Segment's libraries send it."""

_SAID = frozenset({*UTM, "campaign"})


def put_visitor(draft: Draft, reception: Reception) -> None:
    """Browser, system, device, bot and place. What the sender says itself stays.

    A server's own address and user agent say nothing about its users: with a server key only those in the context count.
    """
    context = draft.context
    if "ip" in context or "user_agent" in context:
        visitor = _stated(context.get("ip"), context.get("user_agent"), reception)
    elif reception.trusted:
        return
    else:
        visitor = reception.enricher.visitor(
            reception.ip, reception.edge_country, _bounded(reception.user_agent, LONGEST), True
        )
    draft.context = {**visitor.fields, **context}
    if visitor.is_bot:
        draft.is_bot = True


def put_path(draft: Draft, _reception: Reception) -> None:
    """The path of a page view that tells its address only: pages are counted by their paths. After `put_source`, which reads the address."""
    if draft.payload.event_type != _PAGE_VIEW or "path" in draft.event_data:
        return
    page = draft.context.get("page")
    if isinstance(page, dict):
        url = page.get("url") if page.get("path") is None else None
    else:
        url = draft.context.get("url") if page is None else None
    path = _path_of(url) if isinstance(url, str) else None
    if path is not None:
        draft.context["page"] = {**(page or {}), "path": path}


def _path_of(url: str) -> str | None:
    """None when it is no address, or a broken one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = parts.path or ("/" if parts.netloc else "")
    return path if path.startswith("/") and len(path) <= LONGEST_PATH else None


def put_source(draft: Draft, _reception: Reception) -> None:
    """Channel, site and campaign of the page that the event happened on; or what the sender itself states as `source`."""
    context = draft.context
    if "source" in context and _keep_stated_source(draft):
        return
    page = context.get("page")
    place: dict[str, Any] = page if isinstance(page, dict) else context
    url, referrer = place.get("url"), place.get("referrer")
    utm = () if _SAID.isdisjoint(context) else _stated_utm(context)
    if url is None and referrer is None and not utm:
        return
    context["source"] = source_of(
        url if isinstance(url, str) else "", referrer if isinstance(referrer, str) else "", utm
    )


def _keep_stated_source(draft: Draft) -> bool:
    source = clean_source(draft.context.pop("source"))
    if source is None:
        known = ", ".join(sorted(CHANNELS))
        text = f"context.source was not kept: send an object whose channel is one of {known}"
        draft.warn(WarningKind.SOURCE, "context.source", text)
        return False
    draft.context["source"] = source
    return True


def _stated(ip: object, agent: object, reception: Reception) -> Visitor:
    """The visitor that the context names; what it leaves out is that of the request, unless a server sent it."""
    country = None
    sender = not isinstance(agent, str)
    if not reception.trusted:
        if ip is None:
            ip, country = reception.ip, reception.edge_country
        if sender:
            agent = reception.user_agent
    return reception.enricher.visitor(
        _bounded(ip, LONGEST_ADDRESS), country, _bounded(agent, LONGEST), sender
    )


def _bounded(value: object, longest: int) -> str | None:
    """A text cut to a length: what is remembered under it must not grow with what is sent."""
    if not isinstance(value, str):
        return None
    return value if len(value) <= longest else value[:longest]


def _stated_utm(context: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """UTM parameters in the context itself, or in its `campaign`."""
    campaign = context.get("campaign")
    stated: dict[str, Any] = campaign if isinstance(campaign, dict) else {}
    found = ((name, context.get(name) or stated.get(key)) for name, key in _CAMPAIGN.items())
    return tuple((name, value) for name, value in found if isinstance(value, str))
