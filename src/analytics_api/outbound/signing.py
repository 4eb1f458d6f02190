"""Signed requests, as Standard Webhooks says.

Source of headers and signature: https://www.standardwebhooks.com (specification 1.0, symmetric signatures).
"""

from __future__ import annotations

import base64
import binascii
import hmac

from analytics_api.errors import ConfigurationError

_ENCODED = "whsec_"
_SHORTEST_SECRET = 16


def signing_key(secret: str, place: str) -> bytes:
    """The bytes of a secret: base64 behind `whsec_`, any other text as it is.

    Raises ConfigurationError; `place` says in it whose secret that is.
    """
    try:
        key = (
            base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
            if secret.startswith(_ENCODED)
            else secret.encode()
        )
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"{place}: secret: behind whsec_ it must be base64.") from None
    if len(key) < _SHORTEST_SECRET:
        raise ConfigurationError(f"{place}: secret must have at least {_SHORTEST_SECRET} bytes.")
    return key


def signed_headers(key: bytes, name: str, body: bytes, seconds: int) -> dict[str, str]:
    """The headers of a request: its id `name`, the time (Unix seconds), and the signature over both and the body."""
    signature = hmac.digest(key, b"%s.%d.%s" % (name.encode(), seconds, body), "sha256")
    return {
        "webhook-id": name,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        "Idempotency-Key": name,
    }
