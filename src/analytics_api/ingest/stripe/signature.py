"""Whether a webhook comes from Stripe: the header Stripe-Signature (docs.stripe.com/webhooks/signature).

`t=1492774577,v1=5257a869...,v1=6ffbb59b...`: HMAC-SHA256 of `t.body` under the endpoint's secret, in hex. While a secret
is rolled over there is one v1 for each; schemes other than v1 are no proof.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime

from analytics_api.errors import BadRequest, ConfigurationError
from analytics_api.store.projects import DEFAULT

TOLERANCE_SECONDS = 300
"""How far its clock and ours may differ, as in Stripe's libraries: an older request may be one that was overheard."""

MOST_SIGNATURES = 20
_SECRET = re.compile(r"(?:([a-z0-9][a-z0-9_-]{0,62})=)?(\S{16,})")


def parse_secrets(text: str) -> dict[str, tuple[str, ...]]:
    """Secrets by project: `whsec_a,whsec_b` are the default project's, `shop=whsec_c` that of `shop`. Raises ConfigurationError."""
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        match = _SECRET.fullmatch(part)
        if match is None:
            raise ConfigurationError(
                "ANALYTICS__STRIPE_WEBHOOK_SECRETS: write whsec_... or PROJECT=whsec_..., comma between."
            )
        project = match[1] or DEFAULT
        found[project] = (*found.get(project, ()), match[2])
    return found


def check_signature(header: str | None, body: bytes, secrets: tuple[str, ...], now: datetime) -> None:
    """Raises BadRequest that says why the request is not believed; nothing when one signature is right."""
    if not header:
        raise BadRequest("Stripe-Signature is missing: only Stripe may call this address.")
    times, signatures = [], []
    for part in header.split(",")[: MOST_SIGNATURES + 1]:
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":
            signatures.append(value)
    if len(times) != 1 or not re.fullmatch(r"[0-9]{1,12}", times[0]) or not signatures:
        raise BadRequest("Stripe-Signature cannot be read: it must hold one t= and at least one v1=.")
    signed = times[0].encode() + b"." + body
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    # All are compared, whichever is right, so that the time taken says nothing.
    matches = [
        hmac.compare_digest(right.encode(), given.encode()) for right in expected for given in signatures
    ]
    if not any(matches):
        raise BadRequest(
            "Stripe-Signature does not fit the body: check ANALYTICS__STRIPE_WEBHOOK_SECRETS against this endpoint's secret, "
            "and that nothing in between rewrites the body."
        )
    if abs(now.timestamp() - int(times[0])) > TOLERANCE_SECONDS:
        raise BadRequest(
            f"Stripe-Signature: t is more than {TOLERANCE_SECONDS} seconds from now; check this machine's clock."
        )
