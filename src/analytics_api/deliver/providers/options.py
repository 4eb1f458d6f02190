"""Reading a provider's options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analytics_api.errors import ConfigurationError
from analytics_api.outbound.addresses import checked_url


class WatchedOptions(Mapping[str, str]):
    """Options that know which of them were asked for: the others mean nothing to the provider."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        self.asked.update(self._given)
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    @property
    def unknown(self) -> list[str]:
        """Options that nobody asked for."""
        return [name for name in self._given if name not in self.asked]


def required(options: Mapping[str, str], name: str, provider: str) -> str:
    """The value of an option. Raises ConfigurationError when it is missing or empty."""
    value = options.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"destination {provider}: {name} is missing.")
    return value


def base_url(options: Mapping[str, str], default: str, provider: str) -> str:
    """The provider's address without a trailing slash. Raises ConfigurationError when it is no http(s) URL."""
    return address(options.get("url") or default, provider).rstrip("/")


def optional_url(options: Mapping[str, str], name: str, provider: str) -> str | None:
    """Another address of the provider, without a trailing slash; None when it is not given. Raises ConfigurationError."""
    value = options.get(name)
    return address(value, provider).rstrip("/") if value else None


def address(url: str, provider: str) -> str:
    """A URL that can be sent to. Raises ConfigurationError when it is none, or holds a password that would show."""
    return checked_url(url, f"destination {provider}")


def choice(options: Mapping[str, str], name: str, choices: Sequence[str], provider: str) -> str:
    """An option with a few values, the first of which is the default. Raises ConfigurationError."""
    value = options.get(name) or choices[0]
    if value not in choices:
        raise ConfigurationError(f"destination {provider}: {name} must be {' or '.join(choices)}.")
    return value
