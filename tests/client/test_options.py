"""Opting out, names of machines, the test double, and that the client is a package of its own."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import analytics_client
import pytest
from analytics_client import AnalyticsClient, machine, machine_id, pii
from analytics_client.events import new_event_id
from analytics_client.testing import AsyncRecordingClient, InvalidEvent, RecordingClient
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.ingest.privacy.filter import DEFAULT_FILTER
from tests.support.intake import IntakeStandIn

PACKAGE = Path(analytics_client.__file__).parent
ROOT = PACKAGE.parents[1]


@pytest.mark.parametrize(
    ("name", "value"), [("DO_NOT_TRACK", "1"), ("DO_NOT_TRACK", "true"), ("ANALYTICS_DISABLED", "1")]
)
async def test_a_person_may_opt_out(
    intake: IntakeStandIn, monkeypatch: pytest.MonkeyPatch, name: str, value: str, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, value)
    client = AnalyticsClient(intake.url, spool=tmp_path, enabled=True if name == "DO_NOT_TRACK" else None)
    assert client.track("x") is None
    assert client.close()
    assert not client.enabled
    assert not intake.requests
    assert list(tmp_path.iterdir()) == []


def test_do_not_track_may_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    assert AnalyticsClient("http://127.0.0.1:1").enabled


def test_opting_out_forgets_what_was_not_sent(tmp_path: Path) -> None:
    client = AnalyticsClient("http://127.0.0.1:1", spool=tmp_path, flush_interval=3600)
    client.track("x")
    client.opt_out()
    assert client.track("x") is None
    assert not list(tmp_path.rglob("*.events"))


def test_without_an_address_nothing_is_sent_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    client = AnalyticsClient()
    assert client.track("x") is None
    assert "ANALYTICS_URL" in caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "analytics.example.org"}, "url is 'analytics.example.org': give an address such as"),
        ({"batch_size": 0}, "batch_size is 0: give 1 or more"),
        ({"batch_size": 5001}, "at most 5000"),
        ({"flush_interval": 0}, "flush_interval is 0: give 0.01 or more"),
    ],
)
def test_settings_that_cannot_be_meant(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        AnalyticsClient(**options)  # type: ignore[arg-type]


@given(st.one_of(st.sampled_from([*pii.FIELDS, "E-Mail", "First Name", "userAgent", "names"]), st.text()))
def test_the_server_and_the_client_call_the_same_fields_personal(field: str) -> None:
    assert pii.is_personal(field) == DEFAULT_FILTER.verdicts[field]


def test_names_of_programs_are_not_personal() -> None:
    client = RecordingClient(app="downloader")
    client.track("x", {"name": "Ada"}, context={"device": {"name": "Ada's phone"}})
    context = client.events[0]["context"]
    assert context["app"] == {"name": "downloader"}
    assert context["device"] == {}
    assert client.events[0].get("event_data") == {}


def test_a_machine_has_another_id_for_each_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first = machine_id("one")
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first == machine_id("one") != machine_id("other")
    monkeypatch.setattr(machine, "_LINUX", ())
    machine_id.cache_clear()
    made = machine_id("one")
    machine_id.cache_clear()
    assert made == machine_id("one") != first
    machine_id.cache_clear()


def test_a_program_of_its_users_machines_names_machine_and_run() -> None:
    client = RecordingClient(app="downloader")
    client.track_download("Song", "FLAC", "Original", success=True)
    client.track("x", user_id=7)
    download, known = client.events
    assert download["anonymous_id"] == machine_id("downloader")
    assert download["session_id"] == known["session_id"]
    assert "anonymous_id" not in known
    assert download["event_data"]["format"] == "FLAC"


async def test_the_double_shows_mistakes() -> None:
    client = AsyncRecordingClient()
    client.track("bought", {"amount": 5, "email": "a@example.org"}, user_id=1)
    assert client.assert_tracked("bought", {"amount": 5})["user_id"] == "1"
    with pytest.raises(AssertionError, match="there are"):
        client.assert_tracked("bought", {"amount": 6})
    with pytest.raises(InvalidEvent, match="event_data must be a dict"):
        client.track("bought", "5")  # type: ignore[arg-type]
    assert await client.flush()
    client.clear()
    assert client.events == []


def test_event_ids_are_uuids_of_version_7_in_order_of_time() -> None:
    import uuid

    ids = [uuid.UUID(new_event_id()) for _ in range(100)]
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    assert sorted(one.time_low for one in ids) == [one.time_low for one in ids]


def test_the_client_depends_on_httpx_alone_and_knows_python_3_9() -> None:
    optional = {"starlette", "sqlalchemy"}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
        for node in ast.walk(tree):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            known = {"analytics_client", "httpx", *optional, *sys.stdlib_module_names}
            assert {name.partition(".")[0] for name in names} <= known, path


def test_the_distribution_can_be_built(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("analytics_api_client-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "analytics_client/py.typed" in names
    metadata = next(name for name in names if name.endswith("METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    assert re.findall("^Requires-Dist: (.*)$", text, re.MULTILINE) == ["httpx>=0.27"]
    assert "Requires-Python: >=3.9" in text
