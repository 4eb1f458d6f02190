"""The one tree of errors: each carries its HTTP status and a sentence that says what is wrong and how to mend it.

AnalyticsError
├── ConfigurationError         a setting or the environment is wrong (exit code 2 on the command line)
│   └── EmbeddedServerError    the embedded PostgreSQL could not be used
├── BadRequest (400)           the envelope cannot be read
├── Unauthorized (401)
├── Forbidden (403)
├── NotFound (404)
├── RequestTimeout (408)
├── Conflict (409)
├── PayloadTooLarge (413)
├── Unprocessable (422)        the payload can be read and says something impossible
├── TooManyRequests (429)
├── HeadTooLarge (431)
└── Unavailable (503)          try again: the queue is full or the database is away
    ├── WriterBusy             a transaction that writes events does not end; how far may be read is not known yet
    └── LeaseLost              another process has taken over a reader; the caller stops its work
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AnalyticsError(Exception):
    """Something went wrong inside Analytics API."""

    status = 500
    title = "Internal error"

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.detail = detail or (type(self).__doc__ or self.title)
        self.headers = dict(headers or {})
        self.extra = extra
        super().__init__(self.detail)

    def problem(self) -> dict[str, Any]:
        """The RFC 9457 problem document of this error."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


class ConfigurationError(AnalyticsError):
    """A setting is wrong."""

    title = "Configuration error"


class EmbeddedServerError(ConfigurationError):
    """The embedded PostgreSQL could not be started or reached."""

    title = "Embedded PostgreSQL"


class BadRequest(AnalyticsError):
    """The request body cannot be read."""

    status = 400
    title = "Bad request"


class Unauthorized(AnalyticsError):
    """An API key or a login is needed: send the key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."""

    status = 401
    title = "Unauthorized"


class Forbidden(AnalyticsError):
    """This API key may not do that."""

    status = 403
    title = "Forbidden"


class NotFound(AnalyticsError):
    """There is nothing here."""

    status = 404
    title = "Not found"


class RequestTimeout(AnalyticsError):
    """The request took too long to arrive."""

    status = 408
    title = "Request timeout"


class Conflict(AnalyticsError):
    """That exists already."""

    status = 409
    title = "Conflict"


class PayloadTooLarge(AnalyticsError):
    """The request body is too large."""

    status = 413
    title = "Payload too large"


class Unprocessable(AnalyticsError):
    """The request can be read but says something impossible."""

    status = 422
    title = "Unprocessable content"


class TooManyRequests(AnalyticsError):
    """This API key sends faster than its limit."""

    status = 429
    title = "Too many requests"


class HeadTooLarge(AnalyticsError):
    """The address or the headers of the request are longer than 64 KB together, or more than 200 headers."""

    status = 431
    title = "Request header fields too large"


class Unavailable(AnalyticsError):
    """The service cannot store events right now; send the same request again."""

    status = 503
    title = "Service unavailable"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **extra: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)}, **extra)


class WriterBusy(Unavailable):
    """A transaction that writes events does not end, so how far the log may be read is not known yet."""


class LeaseLost(Unavailable):
    """Another process has taken over this reader."""


_WORDING = {
    "missing": "is required",
    "extra_forbidden": "is not known here; leave it out",
    "json_invalid": "is not JSON",
}


def wording(item: Mapping[str, Any]) -> str:
    """What an item of pydantic's errors finds wrong. Its words say what would be right and never hold the value given."""
    text = str(item["msg"]).removeprefix("Value error, ")
    return _WORDING.get(item["type"]) or text[:1].lower() + text[1:].rstrip(".")
