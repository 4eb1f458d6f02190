"""Reading a provider's options."""

from __future__ import annotations

from collections.abc import Mapping

from analytics_api.errors import ConfigurationError


def required(options: Mapping[str, str], name: str, provider: str) -> str:
    """The value of an option. Raises ConfigurationError when it is missing or empty."""
    value = options.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"destination {provider}: {name} is missing.")
    return value


def base_url(options: Mapping[str, str], default: str, provider: str) -> str:
    """The provider's address without a trailing slash. Raises ConfigurationError when it is no http(s) URL."""
    url = (options.get("url") or default).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"destination {provider}: url must start with http:// or https://.")
    return url
