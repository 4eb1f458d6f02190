"""Photos to share: `python app.py`, then http://127.0.0.1:8012."""

from __future__ import annotations

import os
import secrets
import uuid
from typing import Any

import flask
from analytics_client import AnalyticsClient
from analytics_client.wsgi import AnalyticsWSGIMiddleware

app = flask.Flask(__name__)
app.secret_key = os.environ.get("CLOUDFACE_SECRET") or secrets.token_hex(32)
analytics = AnalyticsClient()
app.wsgi_app = AnalyticsWSGIMiddleware(app.wsgi_app, analytics)  # type: ignore[method-assign]
links: dict[str, list[str]] = {}


def session_id() -> str:
    """The visitor's, in a cookie."""
    if "id" not in flask.session:
        flask.session["id"] = str(uuid.uuid4())
    return str(flask.session["id"])


def track(action: str, data: dict[str, Any]) -> None:
    """Note an action of a visitor who has not opted out."""
    if not flask.session.get("opted_out"):
        analytics.track_action(session_id(), flask.session.get("user"), action, data)


@app.before_request
def view() -> None:
    """Pages count with the address they came from."""
    if flask.request.method == "GET" and not flask.session.get("opted_out"):
        analytics.page(
            flask.request.path,
            url=flask.request.url,
            referrer=flask.request.referrer,
            session_id=session_id(),
            user_id=flask.session.get("user"),
            anonymous_id=session_id(),
        )


@app.get("/")
def home() -> str:
    """The beginning."""
    return "Photos to share."


@app.post("/login/<user>")
def login(user: str) -> str:
    """From here on, what the session does is the user's."""
    device = session_id()
    flask.session["user"] = user
    analytics.identify(user, anonymous_id=device)
    return user


@app.post("/photos")
def photos() -> dict[str, Any]:
    """Process photos, and make a link for them."""
    names = flask.request.get_json()["photos"]
    link = secrets.token_urlsafe(6)
    links[link] = sorted(set(names))
    track("photo_processed", {"processed_count": len(links[link]), "total_files": len(names)})
    track("link_created", {"photos": len(links[link])})
    return {"link": link}


@app.get("/s/<link>")
def shared(link: str) -> dict[str, Any]:
    """What was shared."""
    if link not in links:
        flask.abort(404)
    return {"photos": links[link]}


@app.post("/s/<link>/share/<channel>")
def share(link: str, channel: str) -> dict[str, Any]:
    """Tell others: whatsapp, email or qr."""
    recipients = flask.request.get_json()["recipients"]
    if not flask.session.get("opted_out"):
        analytics.track_share(
            session_id(), flask.session.get("user"), channel, {"link": link}, recipient_count=len(recipients)
        )
    return {"shared": len(recipients)}


@app.post("/opt-out")
def opt_out() -> str:
    """Nothing more is noted of this visitor."""
    flask.session["opted_out"] = True
    return "Nothing is tracked any more."


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8012")))
