"""Signatures of requests."""

from __future__ import annotations

import base64
import hashlib
import hmac

from analytics_api.outbound.signing import signed_headers, signing_key

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_of_the_specification() -> None:
    """The worked example of Standard Webhooks, recomputed with its own words: id, time and body with dots between."""
    body = b'{"test": 2432232314}'
    headers = signed_headers(signing_key(SECRET, "test"), "msg_p5jXN8AQM9LWM0D4loKWxJek", body, 1614265330)
    signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-id"] == headers["Idempotency-Key"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
