"""The table of docs/python-client.md, run: each call of an old package, and ours beside it, say the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import amplitude
import mixpanel
import posthog
import pytest
import segment.analytics
from amplitude.constants import PluginType
from amplitude.plugin import EventPlugin
from analytics_client.testing import RecordingClient

DOCUMENT = Path(__file__).parents[2] / "docs" / "python-client.md"
EVENT_ID = "0190b5c2-0000-7000-8000-000000000001"
Said = dict[str, Any]


def table() -> list[tuple[str, str, str]]:
    """Package, a call there, the call here."""
    section = DOCUMENT.read_text().partition("## Moving over")[2]
    rows = []
    package = ""
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|") or len(cells) != 3 or "`" not in cells[1]:
            continue
        package = cells[0].strip("| ").split(" ")[0] or package
        there, here = (re.findall("`([^`]+)`", cell) for cell in cells[1:])
        assert len(there) == len(here)
        rows += [(package, old, new) for old, new in zip(there, here, strict=True)]
    return rows


def run(call: str, **names: Any) -> Any:
    """What a call returns; `{...}` stands for properties."""
    return eval(call.replace("{...}", '{"size": 5}'), {"i": EVENT_ID, **names})


def with_amplitude(call: str) -> Said:
    said: list[Said] = []

    class Capture(EventPlugin):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(PluginType.BEFORE)

        def execute(self, event: Any) -> None:
            said.append(event.get_event_body())

    client = amplitude.Amplitude("key")
    client.add(Capture())
    run(call, **{**vars(amplitude), "client": client})
    client.shutdown()
    (body,) = said
    if body["event_type"] == "$identify":
        return {"type": "$identify", "user": body["user_id"], "set": body["user_properties"]["$set"]}
    if body["event_type"] == "revenue_amount":
        money = body["event_properties"]
        return {"type": "payment_completed", "user": body["user_id"], "revenue": money["$price"]}
    return {
        "type": body["event_type"],
        "user": body["user_id"],
        "device": body["device_id"],
        "data": body["event_properties"],
        "id": body["insert_id"],
    }


def with_mixpanel(call: str) -> Said:
    said: list[tuple[str, Any]] = []

    class Capture(mixpanel.Consumer):  # type: ignore[misc]
        def send(self, endpoint: str, json_message: str, *_: Any, **__: Any) -> bool:
            said.append((endpoint, mixpanel.json.loads(json_message)))
            return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixpanel, "Consumer", Capture)  # An alias goes out through one of its own.
        run(call, mp=mixpanel.Mixpanel("token", consumer=Capture()))
    ((endpoint, body),) = said
    if endpoint == "people":
        return {"type": "$identify", "user": body["$distinct_id"], "set": body["$set"]}
    found = body["properties"]
    if body["event"] == "$create_alias":
        return {"type": "$alias", "user": found["alias"], "data": {"alias": found["distinct_id"]}}
    return {"type": body["event"], "user": found["distinct_id"], "data": {"size": found["size"]}}


def with_segment(call: str) -> Said:
    _, body = run(call, analytics=segment.analytics.Client("key", send=False))
    if body["type"] == "identify":
        return {"type": "$identify", "user": body["userId"], "set": body["traits"]}
    if body["type"] == "alias":
        return {"type": "$alias", "user": body["userId"], "data": {"alias": body["previousId"]}}
    if body["type"] == "page":
        return {"type": "page_view", "user": body["userId"], "title": body["name"]}
    return {"type": body["event"], "user": body["userId"], "data": body["properties"]}


def with_posthog(call: str) -> Said:
    said: list[Said] = []

    def capture(body: Said) -> None:
        said.append(body)

    client = posthog.Posthog("phc_key", before_send=capture, send=False)
    run(call, posthog=client)
    client.shutdown()
    (body,) = said
    if body["event"] == "$create_alias":
        found = body["properties"]
        return {"type": "$alias", "user": found["alias"], "data": {"alias": found["distinct_id"]}}
    return {
        "type": body["event"],
        "user": body["distinct_id"],
        "data": {"size": body["properties"]["size"]},
    }


PACKAGES: dict[str, Callable[[str], Said]] = {
    "amplitude-analytics": with_amplitude,
    "mixpanel": with_mixpanel,
    "segment": with_segment,
    "posthog": with_posthog,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("package", "there", "here"), table(), ids=lambda value: str(value)[:40])
def test_both_say_the_same(package: str, there: str, here: str) -> None:
    client = RecordingClient()
    assert run(here, analytics=client)
    (event,) = client.events
    ours = {
        "type": event["event_type"],
        "user": event.get("user_id"),
        "device": event.get("anonymous_id"),
        "data": event.get("event_data"),
        "set": event.get("user_properties") or {"size": 5},
        "title": event.get("event_data", {}).get("title"),
        "revenue": event.get("revenue"),
        "id": event["event_id"],
    }
    theirs = PACKAGES[package](there)
    assert {name: ours[name] for name in theirs} == theirs


def test_every_package_is_in_the_table() -> None:
    assert {package for package, _, _ in table()} == set(PACKAGES)
