"""Names in metal: `python app.py`, then http://127.0.0.1:8011."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from xml.sax.saxutils import escape

import flask
from analytics_client import AnalyticsClient

app = flask.Flask(__name__)
analytics = AnalyticsClient()
salt = os.environ.get("METALISE_SALT") or secrets.token_hex(16)


def visitor() -> str:
    """The hash of an address: nobody's address leaves this process."""
    return hashlib.sha256(f"{salt}{flask.request.remote_addr}".encode()).hexdigest()[:32]


@app.get("/")
def home() -> str:
    """The form."""
    analytics.page("/", title="Metalise", anonymous_id=visitor())
    return '<form method="post" action="/generate"><input name="text"><button>Metalise</button></form>'


@app.post("/generate")
def generate() -> flask.Response:
    """The picture; what was entered is not tracked."""
    began = time.perf_counter()
    text = flask.request.form.get("text", "")
    data: dict[str, object] = {"generation_type": "image", "has_text": bool(text)}
    try:
        image = draw(text)
    except ValueError as error:
        data |= {"error": str(error), "duration_ms": (time.perf_counter() - began) * 1000}
        analytics.track("generation_failed", data, anonymous_id=visitor())
        return flask.Response(str(error), 400)
    data["duration_ms"] = (time.perf_counter() - began) * 1000
    analytics.track("generation_completed", data, anonymous_id=visitor())
    return flask.Response(image, mimetype="image/svg+xml")


def draw(text: str) -> str:
    """An SVG. Raises ValueError for text that has no room."""
    if len(text) > 40:
        raise ValueError("the text is longer than 40 characters")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 80"><text x="10" y="55" font-size="40" '
        f'fill="silver" stroke="black">{escape(text)}</text></svg>'
    )


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8011")))
