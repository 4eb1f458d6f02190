"""The dashboard (`web/dashboard`), built beforehand: one page for all its addresses, and the files that it loads."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from mimetypes import guess_type
from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from analytics_api.access.authenticator import Authenticator
from analytics_api.errors import NotFound
from analytics_api.routes import Routes

PATH = "/dashboard"
LOGIN = f"{PATH}/login"
SHARED = frozenset({f"{PATH}/invitation", f"{PATH}/share"})
"""Pages whose address lets somebody in."""
OPEN = SHARED | {LOGIN}
"""Pages for people who are not logged in."""
VERSIONED = "public, max-age=31536000, immutable"

_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_TEXT = (".css", ".js", ".json", ".svg")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the dashboard."""

    body: bytes
    packed: bytes | None
    """With gzip, if that makes it smaller."""
    media_type: str


@dataclass(frozen=True, slots=True)
class Built:
    """The built dashboard."""

    page: bytes
    version: str
    """Changes with any file; it is part of the addresses of all of them, so that browsers may keep them for ever."""
    assets: dict[str, Asset]


@cache
def load_dashboard() -> Built:
    """The dashboard that came with this package."""
    folder = files("analytics_api.show") / "static" / "dashboard"
    version = str(json.loads((folder / "manifest.json").read_text())["version"])
    page = (folder / "index.html").read_text().replace("./assets/", f"{PATH}/assets/{version}/")
    assets = {file.name: _asset(file.name, file.read_bytes()) for file in (folder / "assets").iterdir()}
    return Built(page.encode(), version, assets)


def _asset(name: str, body: bytes) -> Asset:
    packed = gzip.compress(body, 9, mtime=0) if name.endswith(_TEXT) else None
    media_type = guess_type(name)[0] or "application/octet-stream"
    return Asset(body, packed if packed and len(packed) < len(body) else None, media_type)


def asset_endpoint() -> Callable[[Request, str, str], Awaitable[Response]]:
    """Answers GET of the dashboard's files."""
    built = load_dashboard()

    async def answer(request: Request, version: str, name: str) -> Response:
        asset = built.assets.get(name)
        if asset is None or version != built.version:
            raise NotFound(f"The dashboard has no file {name} in that version: reload the page.")
        headers = {"Cache-Control": VERSIONED, "Vary": "Accept-Encoding"}
        if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(asset.packed, media_type=asset.media_type, headers=headers)
        return Response(asset.body, media_type=asset.media_type, headers=headers)

    return answer


def dashboard_router() -> Routes:
    """The dashboard under /dashboard, and the addresses that lead to it."""
    router = Routes(include_in_schema=False)
    built = load_dashboard()

    async def page(request: Request) -> Response:
        authenticator: Authenticator = request.app.state.authenticator
        path = request.url.path
        known = path == LOGIN or authenticator.is_open_to(request) or bool(await authenticator.login(request))
        if path not in OPEN and not known and not await authenticator.shares.find(request):
            # Known here, it costs the browser nothing; known there, the files of two pages.
            query = request.url.query
            wanted = quote(f"{path}?{query}" if query else path, safe="")
            return RedirectResponse(f"{LOGIN}?next={wanted}", 303, headers={"Cache-Control": "no-store"})
        scripts: bytes = request.app.state.dashboard_scripts if known and path not in SHARED else b""
        body = built.page.replace(b"</body>", scripts + b"</body>")
        return Response(body, media_type="text/html", headers=_PAGE_HEADERS)

    async def entrance(request: Request) -> Response:
        query = request.url.query
        return RedirectResponse(f"{PATH}?{query}" if query else PATH)

    router.add_api_route(f"{PATH}/assets/{{version}}/{{name}}", asset_endpoint(), methods=["GET", "HEAD"])
    router.add_api_route(PATH, page, methods=["GET", "HEAD"])
    router.add_api_route(f"{PATH}/{{rest:path}}", page, methods=["GET", "HEAD"])
    for path in ("/", "/admin/analytics", "/evremixes/analytics"):
        router.add_api_route(path, entrance, methods=["GET", "HEAD"])
    return router
