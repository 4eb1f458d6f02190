"""What the audit log may keep of what somebody sent: without secrets, without who it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from analytics_api.telemetry import withhold

_LONGEST_TEXT = 500
_LONGEST_NUMBER = 2**63
_SECRET = re.compile(r"(?i)secret|password|token|key$|auth|credential|signature|^options$|^url$")
_PERSONAL = re.compile(
    r"(?i)^(user|anonymous|distinct|person|session|event|alias)_?ids?$|propert|^value|email|phone|address|^conditions?$|^filters?$|^view$"
)


def without_persons(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command as the audit log may keep them: without who it is about."""
    kept: list[str] = []
    for argument in arguments:
        name, given, _ = (kept[-1] if kept else "").partition("=")
        hidden = not given and name.startswith("--") and _PERSONAL.search(name[2:].replace("-", "_"))
        own, given, _ = argument.partition("=")
        if given and _PERSONAL.search(own.lstrip("-").replace("-", "_")):
            argument = f"{own}=***"
        kept.append("***" if hidden else withhold(plain(argument[:_LONGEST_TEXT])))
    return kept


def without_secrets(value: Any, depth: int = 0) -> Any:
    """What somebody sent, without secrets and without who it is about: values under such names become `***`."""
    if isinstance(value, Mapping):
        if depth > 5:
            return "..."
        return {
            plain(str(name)[:100]): "***"
            if _SECRET.search(str(name)) or _PERSONAL.search(str(name))
            else without_secrets(item, depth + 1)
            for name, item in list(value.items())[:100]
        }
    if isinstance(value, list | tuple):
        return [without_secrets(item, depth + 1) for item in value[:50]]
    if isinstance(value, str):
        return withhold(plain(value[:_LONGEST_TEXT]))
    if isinstance(value, int) and abs(value) >= _LONGEST_NUMBER:
        return str(value)[:_LONGEST_TEXT]
    return value if isinstance(value, bool | int | float) or value is None else str(value)


def plain(text: str) -> str:
    """The text as jsonb can hold it: without NUL and halves of surrogate pairs."""
    return text.replace("\x00", "").encode(errors="replace").decode()
