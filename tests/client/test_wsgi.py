"""The WSGI middleware around Flask and Django."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import flask
import httpx
import pytest
from analytics_client.testing import RecordingClient
from analytics_client.wsgi import AnalyticsWSGIMiddleware


def request(app: Any, method: str, path: str, **options: Any) -> tuple[list[dict[str, Any]], httpx.Response]:
    """What is noted of a request, and its answer."""
    client = RecordingClient()
    transport = httpx.WSGITransport(
        AnalyticsWSGIMiddleware(app, client, **options), raise_app_exceptions=False
    )
    with httpx.Client(transport=transport, base_url="http://test") as caller:
        answer = caller.request(method, path)
    return client.events, answer


def photos() -> flask.Flask:
    app = flask.Flask(__name__)

    @app.get("/photos/<int:photo>/<path:name>")
    def photo(photo: int, name: str) -> str:
        return name

    @app.get("/broken")
    def broken() -> str:
        raise KeyError("secret")

    @app.post("/people")
    def people() -> tuple[dict[str, Any], int]:
        return {"errors": [{"field": "age", "type": "int", "message": "zoe@example.org"}]}, 422

    @app.get("/stream")
    def stream() -> flask.Response:
        def pieces() -> Iterator[str]:
            yield "1"
            raise RuntimeError("half-way")

        return flask.Response(pieces())

    return app


def test_flask() -> None:
    (event,), answer = request(photos(), "GET", "/photos/7/a/b.jpg", describe=lambda environ: {"user_id": 3})
    assert answer.text == "a/b.jpg"
    assert event["user_id"] == "3"
    assert {**event["event_data"], "duration_ms": 0} == {
        "method": "GET",
        "route": "/photos/{photo}/{name}",
        "status": 200,
        "duration_ms": 0,
    }


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", {"status": 404, "route": "(unmatched)"}),
        ("GET", "/broken", {"status": 500, "route": "/broken"}),
        ("POST", "/people", {"status": 422, "errors": ["age: int"]}),
    ],
)
def test_flask_when_things_go_wrong(method: str, path: str, expected: dict[str, Any]) -> None:
    (event,), _ = request(photos(), method, path)
    assert expected.items() <= event["event_data"].items()
    assert "zoe" not in str(event)


def test_a_body_that_breaks_off() -> None:
    client = RecordingClient()
    body = AnalyticsWSGIMiddleware(photos(), client)(
        {**_ENVIRON, "PATH_INFO": "/stream", "wsgi.input": sys.stdin}, lambda *_: lambda _data: None
    )
    with pytest.raises(RuntimeError):
        list(body)
    body.close()  # type: ignore[attr-defined]
    body.close()  # type: ignore[attr-defined]
    assert [event["event_data"]["exception"] for event in client.events] == ["RuntimeError"]


_ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "test",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
}


def test_django() -> None:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    def book(_request: Any, number: int) -> HttpResponse:
        return HttpResponse(f"book {number}")

    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=type("Urls", (), {"urlpatterns": [path("books/<int:number>/", book)]}),
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="only a test",
        )
    app = get_wsgi_application()
    (event,), answer = request(app, "GET", "/books/7/")
    assert (answer.text, event["event_data"]["route"]) == ("book 7", "/books/{number}/")
    (event,), _ = request(app, "GET", "/wp-login.php")
    assert event["event_data"]["route"] == "(unmatched)"
