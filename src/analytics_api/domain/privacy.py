"""What a project decides about personal data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from analytics_api.domain.personal_data import VALUE_RULES, Mode, Rule

PII_FIELDS = ("email", "name", "full_name", "first_name", "last_name", "phone")
"""The fields that the implementation guide lists."""

ADDRESS_FIELDS = (
    "ip", "ip_address", "user_agent",
    "ipv4", "ipv6", "client_ip", "user_ip", "remote_ip", "remote_addr", "remote_address", "x_forwarded_for", "x_real_ip",
)  # fmt: skip


class Signal(StrEnum):
    """A header by which a browser says that its user does not want to be tracked."""

    GPC = "gpc"
    """`Sec-GPC: 1`, Global Privacy Control (W3C)."""
    DNT = "dnt"
    """`DNT: 1`, Do Not Track."""


class VisitorIds(StrEnum):
    """Whether events of pages without any id get one that is made of address and user agent."""

    OFF = "off"
    DAILY = "daily"
    """With a salt that is destroyed when the project's day is over: nobody can be followed from one day to the next."""
    LIFETIME = "lifetime"
    """With a salt that stays. It needs a legal ground of its own."""


def default_modes() -> dict[Rule, Mode]:
    """Named fields go, and what is recognised by its value is masked."""
    return {Rule.FIELD: Mode.DROP, **dict.fromkeys(VALUE_RULES, Mode.MASK)}


@dataclass(frozen=True, slots=True)
class PrivacyPolicy:
    """A project's policy; this is the one of a project that has decided nothing."""

    fields: tuple[str, ...] = ()
    """Names of fields that are personal beside those that always are."""
    kept_paths: tuple[str, ...] = ()
    """Fields that are none although they look like it: `event_data.plan.name`."""
    modes: Mapping[Rule, Mode] = field(default_factory=default_modes)
    signals: tuple[Signal, ...] = ()
    """Those that are honoured: events of their senders are refused."""
    visitor_ids: VisitorIds = VisitorIds.OFF


class Refusal(StrEnum):
    """Why an event was not stored although nothing was wrong with it. Counted beside the rules of personal data."""

    OPT_OUT = "opt_out"
    """`context.consent` says that its person has opted out."""
    GPC = "gpc"
    DNT = "dnt"
    ERASED = "erased"
    """Its person has been erased and is kept out."""


REFUSED = "refused"
"""What happened to such an event, where the counts name a mode."""
