"""The script for pages (`web/sdk`), built and compressed beforehand, and the tag that loads it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from analytics_api.access.dependencies import ReadCaller
from analytics_api.routes import Routes

VERSIONED = "public, max-age=31536000, immutable"
UNVERSIONED = "public, max-age=3600, stale-while-revalidate=86400"
"""Pages that name no version have a new one an hour later."""

_SUFFIXES = {"br": ".br", "gzip": ".gz", "identity": ""}


@dataclass(frozen=True, slots=True)
class Script:
    """The built script."""

    bodies: dict[str, bytes]
    """By Content-Encoding, the smallest first."""
    integrity: str
    """For the attribute of that name (Subresource Integrity): `sha384-...`."""
    version: str


@cache
def load_script() -> Script:
    """The script that came with this package."""
    folder = files("analytics_api.show") / "static" / "browser"
    manifest = json.loads((folder / "manifest.json").read_text())
    bodies = {name: (folder / f"script.js{suffix}").read_bytes() for name, suffix in _SUFFIXES.items()}
    digest = manifest["integrity"].partition("-")[2]
    version = "".join(letter for letter in digest if letter.isalnum())[:12]
    return Script(bodies, manifest["integrity"], version)


class BrowserScript(BaseModel):
    """How a page loads the script."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "path": "/sdk/a.js",
                "url": "https://analytics.example.com/sdk/a.js?v=x1Yz0aBcDeFg",
                "integrity": "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC",
                "endpoint": "/api/v1/analytics/events",
                "tag": '<script defer src="https://analytics.example.com/sdk/a.js" data-key="WRITE_KEY"></script>',
                "pinned_tag": '<script defer src="https://analytics.example.com/sdk/a.js?v=x1Yz0aBcDeFg" data-key="WRITE_KEY" '
                'integrity="sha384-..." crossorigin="anonymous"></script>',
            }
        }
    )

    path: str = Field(description="Path of the script on this server; a setting.")
    url: str = Field(description="Address of this very version.")
    integrity: str = Field(description="Its hash, for the attribute `integrity`.")
    endpoint: str = Field(description="Path to which it sends events.")
    tag: str = Field(description="The tag to put into pages; always the newest script.")
    pinned_tag: str = Field(
        description="The same with its hash: a browser runs no other script. After an update of the server it has to be replaced."
    )


def script_endpoint() -> Callable[[Request], Awaitable[Response]]:
    """Answers GET and HEAD of the script: compressed as the browser likes it, cached, open to pages of any origin."""
    script = load_script()

    async def answer(request: Request) -> Response:
        encoding = _encoding(request.headers.get("accept-encoding", ""), script)
        tag = f'"{script.version}-{encoding}"'
        versioned = request.query_params.get("v") == script.version
        headers = {
            "ETag": tag,
            "Cache-Control": VERSIONED if versioned else UNVERSIONED,
            "Vary": "Accept-Encoding",
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Timing-Allow-Origin": "*",
            "X-Content-Type-Options": "nosniff",
        }
        if encoding != "identity":
            headers["Content-Encoding"] = encoding
        known = request.headers.get("if-none-match", "")
        if tag in (known_tag.strip().removeprefix("W/") for known_tag in known.split(",")):
            headers.pop("Content-Encoding", None)
            return Response(status_code=304, headers=headers)
        return Response(script.bodies[encoding], media_type="text/javascript", headers=headers)

    return answer


def _encoding(accepted: str, script: Script) -> str:
    """The smallest form that `Accept-Encoding` allows (RFC 9110, section 12.5.3; a weight of 0 forbids)."""
    allowed = set()
    for item in accepted.split(","):
        name, _, parameters = item.partition(";")
        weight = parameters.strip().removeprefix("q=").strip() or "1"
        if weight.strip("0.") != "":
            allowed.add(name.strip().lower())
    return next((name for name in script.bodies if name in allowed or "*" in allowed), "identity")


def script_router(path: str, endpoint: str) -> Routes:
    """GET /browser-script: where the script is and how a page loads it."""
    router = Routes(tags=["operation"])

    @router.get("/browser-script", summary="The script for pages, its hash and its tag")
    async def browser_script(request: Request, _caller: ReadCaller) -> BrowserScript:
        """The tag takes a write key of the project: `analytics-api keys create --kind write`."""
        script = load_script()
        base = str(request.base_url).rstrip("/")
        pinned = f"{base}{path}?v={script.version}"
        return BrowserScript(
            path=path,
            url=pinned,
            integrity=script.integrity,
            endpoint=endpoint,
            tag=_tag(f"{base}{path}", endpoint, ""),
            pinned_tag=_tag(pinned, endpoint, f' integrity="{script.integrity}" crossorigin="anonymous"'),
        )

    return router


DEFAULT_ENDPOINT = "/api/v1/analytics/events"
"""Where the script sends events unless its tag says otherwise."""


def _tag(url: str, endpoint: str, more: str) -> str:
    given = "" if endpoint == DEFAULT_ENDPOINT else f' data-endpoint="{escape(endpoint)}"'
    return f'<script defer src="{escape(url)}" data-key="WRITE_KEY"{given}{more}></script>'
