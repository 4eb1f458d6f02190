"""`analytics-api destinations` against a running server with its worker, which notices by itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx

from analytics_api.domain.project import KeyKind, Project
from analytics_api.store.engine import Database
from analytics_api.store.keys import create_key
from tests.support.commands import analytics_api
from tests.support.destinations import until
from tests.support.processes import ServerProcess
from tests.support.providers import WebhookStandIn


async def command(
    env: Mapping[str, str], folder: Path, *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return await analytics_api(env, folder, "destinations", *arguments, given=given)


async def test_from_adding_to_removing(
    database: Database,
    database_url: str,
    project: Project,
    client: httpx.AsyncClient,
    receiver: WebhookStandIn,
    process: Callable[..., ServerProcess],
    tmp_path: Path,
) -> None:
    env = {
        "ANALYTICS__DATABASE_URL": database_url,
        "ANALYTICS__SECRET_KEY": "a key of sixteen characters",
        "ANALYTICS__ALLOW_PRIVATE_DESTINATIONS": "true",
        "ANALYTICS__FLUSH_INTERVAL_SECONDS": "3600",
    }
    async with database.write() as session:
        key = await create_key(session, project.id, KeyKind.WRITE, now=datetime.now(UTC))
    server = await asyncio.to_thread(process, env, "serve", "--with-worker")

    async def track(number: int) -> None:
        body = [{"event_type": "page_view", "user_id": "ada", "event_data": {"n": number}}]
        answer = await client.post(
            f"{server.url}/api/v1/analytics/events", json=body, headers={"X-API-Key": key}
        )
        assert answer.status_code == 202

    await track(1)
    options = ("--option", f"url={receiver.url}/hook", "--secret", "secret", "--start", "beginning")
    added = await command(env, tmp_path, "add", "webhook", *options, given=receiver.secret + "\n")
    assert added.returncode == 0, added.stderr
    # The next flush would be in an hour: the worker has noticed by itself.
    await until(lambda: len(receiver.stored) == 1)

    listed = await command(env, tmp_path, "list")
    assert listed.stdout == f"webhook\twebhook\trunning\tadded\turl={receiver.url}/hook\n"
    rules = tmp_path / "rules.json"
    rules.write_text('{"include": ["purchase"], "mapping": [{"set": {"event_data.from": "us"}}]}')
    tried = json.loads((await command(env, tmp_path, "dry-run", "webhook", "--rules", str(rules))).stdout)
    assert (tried["send"], tried["skip"]) == (0, {"filter": 1})
    assert json.loads((await command(env, tmp_path, "dry-run", "webhook")).stdout)["send"] == 1
    assert "version 1" in (await command(env, tmp_path, "rules", "webhook", "--set", str(rules))).stdout
    shown = await command(env, tmp_path, "rules", "webhook")
    assert json.loads(shown.stdout) == json.loads(rules.read_text())
    given = '{"mapping": [{"set": {"event_data.from": "us"}}]}'
    await command(env, tmp_path, "rules", "webhook", "--set", "-", given=given)
    # The worker follows within two seconds.
    await asyncio.sleep(2.5)
    await track(2)

    assert "is paused" in (await command(env, tmp_path, "pause", "webhook")).stdout
    assert "paused: paused by hand" in (await command(env, tmp_path, "list")).stdout
    assert "goes on" in (await command(env, tmp_path, "resume", "webhook")).stdout
    assert (await command(env, tmp_path, "remove", "webhook")).returncode == 0
    assert (await command(env, tmp_path, "list")).stdout == ""
    gone = await command(env, tmp_path, "pause", "webhook")
    assert (gone.returncode, gone.stderr) == (
        2,
        "analytics-api: Project default has no destination 'webhook'.\n",
    )


async def test_mistakes_are_one_sentence(database_url: str, tmp_path: Path) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__POSTHOG_API_KEY": "phc_1"}
    secret = await command(env, tmp_path, "add", "amplitude", "--secret", "api_key", given="hush-hush-hush\n")
    assert secret.returncode == 2
    assert "ANALYTICS__SECRET_KEY is not set" in secret.stderr
    assert "hush" not in secret.stderr
    nothing = await command(env, tmp_path, "add", "amplitude", "--secret", "api_key")
    assert "--secret api_key: nothing was given" in nothing.stderr
    taken = await command(env, tmp_path, "remove", "posthog")
    assert "ANALYTICS__POSTHOG_" in taken.stderr
    listed = await command(env, tmp_path, "list")
    assert listed.stdout == "posthog\tposthog\tnew\tsettings\t\n"
