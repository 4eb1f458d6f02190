"""Opt-outs, browsers' signals and refusals of destinations: honoured, counted, and kept as proof."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_api.deliver.providers.registry import make_provider
from analytics_api.deliver.rendering import render
from analytics_api.deliver.rules import NO_RULES
from analytics_api.domain.consent import has_opted_out, refuses_destination
from analytics_api.domain.outcome import Skipped, SkipReason
from analytics_api.errors import Unavailable
from analytics_api.ingest.privacy.desk import PrivacyDesk
from tests.support.delivering import MovableClock
from tests.support.events import NOW, make_event, make_project, open_database
from tests.support.processes import ServerProcess
from tests.support.stored import stored_event


@pytest.mark.parametrize(
    ("consent", "out"),
    [
        (False, True), ("denied", True), ({"opt_out": True}, True), ({"optOut": True}, True),
        (True, False), ("granted", False), ({"analytics": False}, False), ({}, False), (None, False), (0, False),
    ],
)  # fmt: skip
def test_an_opt_out_is_said_plainly(consent: Any, out: bool) -> None:
    assert has_opted_out(consent) is out


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda i: st.lists(i) | st.dictionaries(st.text(), i),
    )
)
def test_whatever_is_sent_as_consent_is_understood_or_ignored(consent: Any) -> None:
    assert refuses_destination(consent, "amplitude") in (True, False)


def test_a_refused_destination_is_skipped_and_the_others_are_not() -> None:
    event = stored_event(context={"consent": {"destinations": {"amplitude": False, "*": True}}})
    amplitude = make_provider("amplitude", {"api_key": "k"})
    assert render(amplitude, NO_RULES, event).outcome == Skipped(SkipReason.CONSENT)
    assert isinstance(render(make_provider("posthog", {"api_key": "k"}), NO_RULES, event).outcome, list)


async def test_what_is_refused_is_not_stored_but_counted_and_proven(
    process: Callable[..., ServerProcess],
) -> None:
    server = process({"ANALYTICS__SANDBOX_MODE": "true"})
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1/analytics", timeout=60) as client:
        assert (await client.put("/privacy/policy", json={"signals": ["gpc"]})).status_code == 200

        async def send(consent: Any, **headers: str) -> dict[str, Any]:
            event = {"event_type": "a", "user_id": "u1", "context": {"consent": consent}}
            sent = await client.post("/events", json=[event], headers=headers)
            found: dict[str, Any] = sent.json()["results"][0]
            return found

        assert (await send({"analytics": True}))["status"] == "accepted"
        assert (await send({"analytics": True}))["status"] == "accepted"
        refused = await send({"opt_out": True})
        assert (refused["status"], refused["reason"]) == (
            "ignored",
            "its person has opted out (context.consent)",
        )
        assert (await send({"opt_out": True}, **{"Sec-GPC": "1"}))["status"] == "ignored"
        assert (await send({"analytics": True}, DNT="1"))["status"] == "accepted", "not set so"
        proof = (await client.get("/privacy/consent?user_id=u1")).json()["changes"]
        assert [one["consent"] for one in proof] == [
            {"analytics": True},
            {"opt_out": True},
            {"analytics": True},
        ]
        body = {"user_id": "u1", "consent": {"analytics": False}}
        assert (await client.post("/privacy/consent", json=body)).status_code == 204
        proof = (await client.get("/privacy/consent?user_id=u1")).json()["changes"]
        assert (proof[0]["consent"], proof[0]["source"]) == ({"analytics": False}, "local")
        assert (await send({"analytics": True}))["status"] == "accepted"
        proof = (await client.get("/privacy/consent?user_id=u1")).json()["changes"]
        assert [one["consent"]["analytics"] for one in proof[:2]] == [True, False], (
            "as before, but not as last"
        )
        async with asyncio.timeout(30):
            while True:
                found = (await client.get("/privacy/removed")).json()["items"]
                if len(found) == 2:
                    break
                await asyncio.sleep(0.1)
        assert {(one["rule"], one["subject"], one["action"], one["number"]) for one in found} == {
            ("opt_out", "a", "refused", 1),
            ("gpc", "a", "refused", 1),
        }
        exported = await client.post("/privacy/exports", json={"events": {"event_types": ["a"]}})
        packed = zipfile.ZipFile(io.BytesIO(exported.content))
        assert len(packed.read("events.jsonl").splitlines()) == 4


async def test_what_another_process_heard_since_is_not_taken_for_what_was_said_last(
    database_url: str,
) -> None:
    async with open_database(database_url) as database:
        project, clock = await make_project(database), MovableClock()
        person = make_event(project).person_id
        desks = [PrivacyDesk(database, clock=clock) for _ in range(2)]
        for desk, consent in ((0, "true"), (0, "true"), (1, "false"), (0, "true"), (1, "false")):
            clock.move(seconds=3)
            for _ in range(3):
                desks[desk].note_consent(project, consent, person, clock())
            await desks[desk].keep_consent()
        rows = await database.pool.fetch("SELECT consent FROM consent_changes ORDER BY changed_at")
        assert [row["consent"] for row in rows] == ["true", "false", "true", "false"]


async def test_nobody_is_told_that_a_proof_is_kept_which_is_not(database_url: str) -> None:
    """Two requests whose statements go into one statement that fails."""
    async with open_database(database_url) as database:
        project = await make_project(database)
        await database.pool.execute(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'no such luck' USING ERRCODE = '40P01'; END $$;
            CREATE TRIGGER fail BEFORE INSERT ON consent_changes FOR EACH ROW EXECUTE FUNCTION fail()
            """
        )
        desk = PrivacyDesk(database)
        for user in ("ada", "bob"):
            desk.note_consent(project, "true", make_event(project, user_id=user).person_id, NOW)
        answers = await asyncio.gather(desk.keep_consent(), desk.keep_consent(), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
        await database.pool.execute("DROP TRIGGER fail ON consent_changes")
        await desk.keep_consent()
        assert await database.pool.fetchval("SELECT count(*) FROM consent_changes") == 2
