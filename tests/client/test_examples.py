"""The applications in examples/: a server that is killed disturbs none of them, and what they did meanwhile arrives."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from tests.support.processes import ServerProcess, free_port
from tests.support.serving import served

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    """The module of an example."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / name / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # FastAPI looks annotations up in the module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Files(BaseHTTPRequestHandler):
    """Whatever is asked for, apart from `missing`."""

    def do_GET(self) -> None:
        self.send_response(404 if "missing" in self.path else 200)
        self.end_headers()
        self.wfile.write(b"music")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def drive_downloader(folder: Path) -> None:
    files = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    Thread(target=files.serve_forever).start()
    command = [sys.executable, str(EXAMPLES / "downloader" / "downloader.py"), "--folder", str(folder)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        url = f"http://127.0.0.1:{files.server_port}"
        done = subprocess.run([*command, f"{url}/song.flac"], env=env, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        failed = subprocess.run([*command, f"{url}/missing.flac"], env=env, capture_output=True, text=True)
        assert failed.returncode == 1
    finally:
        files.shutdown()
        files.server_close()
    assert (folder / "song.flac").read_bytes() == b"music"


async def drive_platform(module: ModuleType) -> None:
    async with served(module.app) as running:
        post = running.client.post
        made = await post("/generations", json={"user_id": "ada", "prompt": "a cat"})
        assert made.json()["text"] == "tac a"
        assert (await post("/generations", json={"user_id": "ada", "prompt": ""})).status_code == 400
        assert (await post("/payments", json={"user_id": "ada", "amount": 9.5})).status_code == 200
        assert (await post("/payments", json={"user_id": "ada", "amount": 0})).status_code == 402


def drive_mixbot() -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(EXAMPLES / "mixbot" / "app.py")).run(timeout=60)
    app.selectbox[0].select("Reaper").run(timeout=60)
    app.button[0].click().run(timeout=60)
    assert not app.exception
    assert "Sounds good." in [text.value for text in app.markdown]


def drive_metalise(module: ModuleType) -> None:
    browser = module.app.test_client()
    assert browser.get("/").status_code == 200
    assert b"<svg" in browser.post("/generate", data={"text": "<Ada>"}).data
    assert browser.post("/generate", data={"text": "x" * 50}).status_code == 400


def drive_cloudface(module: ModuleType) -> None:
    browser = module.app.test_client()

    def call(method: str, path: str, **options: Any) -> Any:
        # Buffered: read to the end and closed, as a server does.
        return browser.open(path, method=method, buffered=True, **options)

    call("GET", "/?utm_source=news")
    call("POST", "/login/ada")
    link = call("POST", "/photos", json={"photos": ["a", "b", "a"]}).json["link"]
    assert call("GET", f"/s/{link}").json == {"photos": ["a", "b"]}
    assert call("POST", f"/s/{link}/share/whatsapp", json={"recipients": [1, 2]}).json == {"shared": 2}
    call("POST", "/opt-out")
    assert call("GET", f"/s/{link}").status_code == 200


ONE_DRIVE = {
    "download": 2,
    "session_completed": 2,
    "generation_started": 2,
    "generation_completed": 1 + 1,
    "generation_failed": 1 + 1,
    "payment_initiated": 2,
    "payment_completed": 1,
    "payment_failed": 1,
    "page_view": 1 + 1 + 2,
    "daw_selected": 2,
    "genre_detected": 1,
    "analysis_completed": 1,
    "photo_processed": 1,
    "link_created": 1,
    "share": 1,
    "$identify": 1,
    "api_request": 4 + 7,
}


async def stored(url: str) -> Counter[str]:
    """Events in the log by type."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT event_type, count(*) FROM events GROUP BY 1")
    finally:
        await connection.close()
    return Counter({row[0]: row[1] for row in rows})


@pytest.fixture
def loggers_of_the_server() -> Iterator[None]:
    """Streamlit takes them for itself when it is imported."""
    loggers = [
        logging.getLogger(name) for name in ("uvicorn", "uvicorn.access", "uvicorn.asgi", "uvicorn.error")
    ]
    before = [(one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for one, (handlers, level, propagates) in zip(loggers, before, strict=True):
        one.handlers[:], one.propagate = handlers, propagates
        one.setLevel(level)


@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("loggers_of_the_server")
async def test_a_server_that_is_killed_disturbs_no_example(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"}
    env["ANALYTICS__TRACK_API_REQUESTS"] = "false"
    port = free_port()
    monkeypatch.setenv("ANALYTICS_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("ANALYTICS_SPOOL", str(tmp_path / "spool"))
    modules = {name: load(name) for name in ("platform", "metalise", "cloudface")}

    async def drive_all() -> None:
        await drive_platform(modules["platform"])
        await asyncio.to_thread(drive_downloader, tmp_path)
        await asyncio.to_thread(drive_mixbot)
        await asyncio.to_thread(drive_metalise, modules["metalise"])
        await asyncio.to_thread(drive_cloudface, modules["cloudface"])

    async def sent() -> None:
        assert await modules["platform"].analytics.flush(60)
        assert await asyncio.to_thread(modules["metalise"].analytics.flush, 60)
        assert await asyncio.to_thread(modules["cloudface"].analytics.flush, 60)
        async with asyncio.timeout(60):  # Mixbot's client is Streamlit's own and sends by itself.
            while list((tmp_path / "spool").rglob("*.events")):
                await asyncio.sleep(0.1)

    with ServerProcess(env, tmp_path, port=port) as server:
        await asyncio.to_thread(server.start)
        await drive_all()
        await sent()
        assert dict(await stored(database_url)) == ONE_DRIVE
        server.kill()
        await drive_all()
    with ServerProcess(env, tmp_path, port=port) as server:
        await asyncio.to_thread(server.start)
        await sent()
        assert dict(await stored(database_url)) == {name: 2 * number for name, number in ONE_DRIVE.items()}
    await modules["platform"].analytics.close()
    for name in ("metalise", "cloudface"):
        await asyncio.to_thread(modules[name].analytics.close)
