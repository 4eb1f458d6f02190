"""Destinations that are added over HTTP while everything runs: where they start, secrets, what is refused."""

from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from analytics_api.deliver.service import Destinations
from analytics_api.domain.project import KeyKind, Project
from analytics_api.errors import ConfigurationError
from analytics_api.outbound.connections import Client, make_client
from analytics_api.store.engine import Database
from analytics_api.store.projects import create_project
from analytics_api.store.secret_box import SecretBox
from tests.support.destinations import BOX, call, named, serving, until, webhook
from tests.support.events import make_event, write_events
from tests.support.providers import WebhookStandIn


async def test_added_it_gets_what_arrives_from_then_on_without_a_flush(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    await write_events(database, [make_event(project) for _ in range(3)])
    added = await call(api, "POST", "/destinations", webhook(receiver, name="hook-1"), expect=201)
    await write_events(database, [make_event(project) for _ in range(2)])
    await worker.notice()
    await until(lambda: len(receiver.stored) == 2)
    assert (added["name"], added["kind"], added["state"], added["start"]) == (
        "hook-1",
        "webhook",
        "running",
        "now",
    )


async def test_added_in_the_process_that_delivers_it_is_noticed_all_the_same(
    database: Database, project: Project, worker: Destinations, receiver: WebhookStandIn
) -> None:
    """The call itself has looked at the table already."""
    await write_events(database, [make_event(project)])
    async with await serving(database, project, worker) as api:
        await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    await worker.notice()
    await until(lambda: len(receiver.stored) == 1)


async def test_from_the_beginning_and_from_a_date(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    now = datetime.now(UTC)
    days = [
        make_event(project, received_at=now - timedelta(days=n), event_data={"n": n}) for n in (9, 6, 3, 0)
    ]
    await write_events(database, days)
    start = (now - timedelta(days=4)).isoformat()
    await call(api, "POST", "/destinations", webhook(receiver, name="some", start=start), expect=201)
    await worker.flush()
    assert [event["event_data"]["n"] for event in receiver.stored] == [3, 0]
    receiver.forget()
    await call(api, "POST", "/destinations", webhook(receiver, name="all", start="beginning"), expect=201)
    await worker.flush()
    assert [event["event_data"]["n"] for event in receiver.stored] == [9, 6, 3, 0]


async def test_each_project_has_its_own(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    receiver: WebhookStandIn,
) -> None:
    async with database.write() as session:
        other = await create_project(session, "other", now=datetime.now(UTC))
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    await write_events(database, [make_event(project, event_data={"n": 1}), make_event(other)])
    await worker.flush()
    assert [event["event_data"] for event in receiver.stored] == [{"n": 1}]


async def test_secrets_are_never_shown_and_not_in_the_table(
    database: Database, api: httpx.AsyncClient, receiver: WebhookStandIn
) -> None:
    added = await call(api, "POST", "/destinations", webhook(receiver), expect=201)
    shown = await api.get("/destinations")
    assert added["secrets_set"] == ["secret"]
    assert added["options"] == {"url": f"{receiver.url}/hook"}
    assert receiver.secret not in shown.text
    async with database.acquire() as connection:
        row = await connection.fetchval("SELECT d::text || encode(secrets, 'escape') FROM destinations d")
    assert receiver.secret not in row
    assert receiver.secret[6:] not in row


async def test_those_of_the_settings_are_listed_and_cannot_be_added_or_removed(
    api: httpx.AsyncClient, worker: Destinations
) -> None:
    listed = await named(api, "amplitude")
    assert (listed["origin"], listed["kind"], listed["options"], listed["secrets_set"]) == (
        "settings",
        "amplitude",
        {},
        [],
    )
    body = {"kind": "amplitude", "options": {"api_key": "k"}}
    for answer in (
        await call(api, "POST", "/destinations", body, expect=409),
        await call(api, "DELETE", "/destinations/amplitude", expect=409),
    ):
        assert "ANALYTICS__AMPLITUDE_" in answer["detail"]
    assert (await call(api, "PATCH", "/destinations/amplitude", {"state": "paused"}))["state"] == "paused"
    await call(api, "POST", "/destinations", {**body, "name": "second"}, expect=201)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"kind": "webhok"}, 422, "kind: 'webhok' is not known; use one of amplitude, ga4"),
        ({"kind": "sandbox"}, 422, "sandbox"),
        ({"name": "Not A Name"}, 422, "name:"),
        ({"options": {"url": "https://example.org"}}, 422, "secret is missing"),
        ({"options": {"url": "x", "secret": "y" * 20}}, 422, "url must start with"),
        ({"options": {"url": "https://a.b", "secret": "y" * 20, "secrt": "z"}}, 422, "did you mean secret?"),
        ({"options": {"url": "https://a.b", "secret": "y\0" * 20}}, 422, "options.secret: use up to"),
        ({"start": "yesterday"}, 422, "start: use now"),
        ({"start": "2999-01-01"}, 422, "start: that is in the future"),
        ({"surprise": 1}, 422, "surprise"),
    ],
)
async def test_what_cannot_be_added(
    api: httpx.AsyncClient, receiver: WebhookStandIn, change: dict[str, Any], status: int, words: str
) -> None:
    answer = await call(api, "POST", "/destinations", {**webhook(receiver), **change}, expect=status)
    assert words in str(answer)
    assert "y" * 20 not in str(answer)


async def test_a_name_is_there_once(api: httpx.AsyncClient, receiver: WebhookStandIn) -> None:
    await call(api, "POST", "/destinations", webhook(receiver), expect=201)
    answer = await call(api, "POST", "/destinations", webhook(receiver), expect=409)
    assert "choose another name" in answer["detail"]


async def test_without_a_key_to_encrypt_with_secrets_are_refused(
    database: Database, project: Project, worker: Destinations, receiver: WebhookStandIn
) -> None:
    def load() -> bytes:
        raise ConfigurationError("ANALYTICS__SECRET_KEY is not set.")

    async with await serving(database, project, worker, box=SecretBox(load)) as api:
        answer = await call(api, "POST", "/destinations", webhook(receiver), expect=422)
    assert answer["detail"] == "options: secret cannot be stored: ANALYTICS__SECRET_KEY is not set."


async def test_an_address_inside_the_own_network_pauses_and_says_which_setting_allows_it(
    database: Database, project: Project, client: Client, receiver: WebhookStandIn
) -> None:
    guarded = make_client(public_only=True)
    careful = Destinations(database, [], client, owner="careful", box=BOX, guarded=guarded)
    async with await serving(database, project, careful) as api:
        await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
        await write_events(database, [make_event(project)])
        await careful.flush()
        shown = await named(api, "webhook")
    assert shown["state"] == "paused"
    assert "ANALYTICS__ALLOW_PRIVATE_DESTINATIONS" in shown["reason"]
    assert not receiver.requests
    await careful.close()
    assert guarded.is_closed


@pytest.mark.parametrize("kind", [KeyKind.READ, KeyKind.WRITE, KeyKind.SERVER])
async def test_only_an_admin(
    database: Database, project: Project, worker: Destinations, kind: KeyKind
) -> None:
    async with await serving(database, project, worker, kind=kind) as api:
        await call(api, "GET", "/destinations", expect=403)
        await call(api, "POST", "/destinations", {"kind": "webhook"}, expect=403)


async def test_sandbox_mode_sends_nothing_to_an_added_one_either(
    database: Database, project: Project, client: Client, receiver: WebhookStandIn
) -> None:
    quiet = Destinations(database, [], client, owner="quiet", box=BOX, sandbox_mode=True)
    async with await serving(database, project, quiet) as api:
        await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
        await write_events(database, [make_event(project)])
        reports = {report.destination: report for report in await quiet.flush()}
        assert (await named(api, "webhook"))["state"] == "sandbox"
    assert reports["webhook"].skipped == 1
    assert not receiver.requests
    await quiet.close()


ACME = """
from analytics_api.deliver.providers.webhook.provider import Webhook

class Acme(Webhook):
    name = "acme"

def make(options):
    return Acme(options["address"], options["password"])
"""


async def test_a_kind_that_another_package_brings(
    database: Database,
    project: Project,
    api: httpx.AsyncClient,
    worker: Destinations,
    client: Client,
    receiver: WebhookStandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An installed distribution with an entry point; its secrets are known by the port alone."""
    (tmp_path / "acme_destination.py").write_text(ACME)
    metadata = tmp_path / "acme_destination-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-destination\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[analytics_api.destinations]\nacme = acme_destination:make\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    options = {"address": f"{receiver.url}/hook", "password": receiver.secret}
    added = await call(
        api, "POST", "/destinations", {"kind": "acme", "options": options, "start": "beginning"}, expect=201
    )
    assert added["secrets_set"] == ["password"]
    assert "acme" in (await call(api, "GET", "/destinations"))["kinds"]
    nothing = await call(api, "POST", "/destinations", {"kind": "acme", "name": "b"}, expect=422)
    assert nothing["detail"] == "options: acme cannot be made: KeyError: 'address'"
    wrong = {"kind": "acme", "name": "b", "options": {**options, "adress": "x"}}
    assert "did you mean address?" in (await call(api, "POST", "/destinations", wrong, expect=422))["detail"]
    await write_events(database, [make_event(project)])
    await worker.flush()
    assert len(receiver.stored) == 1

    # The package is taken away while another destination goes on.
    monkeypatch.delitem(sys.modules, "acme_destination")
    (tmp_path / "acme_destination.py").write_text("raise RuntimeError('broken')")
    importlib.invalidate_caches()
    await call(api, "POST", "/destinations", webhook(receiver, start="beginning"), expect=201)
    other = Destinations(database, [], client, owner="other", box=BOX)
    reports = {report.destination: report for report in await other.flush()}
    assert reports.keys() == {"webhook"}
    assert other.added is not None
    assert "RuntimeError: broken" in (other.added.problem(project.id, "acme") or "")
    await other.close()
