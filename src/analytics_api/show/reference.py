"""GET /docs: the reference of the calls, with a policy that lets it run its own script and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse

_CDN = "https://cdn.jsdelivr.net"


async def reference(_request: Request) -> HTMLResponse:
    """Swagger UI of /openapi.json."""
    page = bytes(
        get_swagger_ui_html(
            openapi_url="/openapi.json", title="Analytics API", swagger_favicon_url="data:,"
        ).body
    ).decode()
    hashes = " ".join(
        f"'sha256-{_digest(script)}'" for script in re.findall(r"<script>(.*?)</script>", page, re.S)
    )
    policy = (
        f"default-src 'none'; script-src {hashes} {_CDN}/npm/swagger-ui-dist@5/; style-src {_CDN}/npm/swagger-ui-dist@5/; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
