"""`analytics-api deliveries` beside a running server with its worker, which goes on with replays by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
from typer.testing import CliRunner

from analytics_api.cli import app
from analytics_api.domain.project import Project
from analytics_api.errors import AnalyticsError
from analytics_api.store.engine import Database
from tests.support.commands import analytics_api
from tests.support.destinations import until
from tests.support.events import make_event, write_events
from tests.support.processes import ServerProcess
from tests.support.providers import WebhookStandIn


async def test_backfill_dead_letters_retry_and_discard(
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
        "ANALYTICS__WEBHOOK_URL": f"{receiver.url}/hook",
        "ANALYTICS__WEBHOOK_SECRET": receiver.secret,
        "ANALYTICS__FLUSH_INTERVAL_SECONDS": "3600",
    }

    async def deliveries(*arguments: str, code: int = 0) -> str:
        """In this process, because a new one takes seconds; in a thread, because the receiver lives in this loop."""
        done = await asyncio.to_thread(CliRunner(env=env).invoke, app, ["deliveries", *arguments])
        if isinstance(done.exception, AnalyticsError):
            assert code == 2
            return done.exception.detail
        assert done.exit_code == code, done.output
        return done.stdout

    events = [
        make_event(project, user_id=f"u{n}", event_data={"n": n, "bad": n in (3, 7)}) for n in range(10)
    ]
    await write_events(database, events)
    none = await deliveries("replay", "webhook", "--backfill", code=2)
    assert "has not begun with its live events yet" in none
    server = await asyncio.to_thread(process, env, "serve", "--with-worker")

    # The destination of the settings starts now: the ten are history.
    made = await analytics_api(
        env, tmp_path, "deliveries", "replay", "webhook", "--backfill", "--rate", "1000"
    )
    assert made.stdout == "Replay 1 to webhook is there: 10 events, 1000 a second at most.\n"
    await until(lambda: len(receiver.stored) == 8)
    while "done" not in (shown := await deliveries("replays")):
        await asyncio.sleep(0.1)
    assert shown == "1\twebhook\tdone\t10/10 (100%)\t2 dead\t\n"
    assert await deliveries("dead-letters") == (
        '2\twebhook#1\trefused\tpage_view\tHTTP 422: {"error": "bad is bad"}\n'
    )

    wrong = await deliveries("retry", "webhook", code=2)
    assert "Name events with --event-id, or all" in wrong
    assert "1 dead letters" in await deliveries(
        "discard", "webhook", "--event-id", str(events[3].event_id), "--reason", "a test"
    )
    receiver.forgiving = True
    assert "1 dead letters" in await deliveries("retry", "webhook", "--all", "--text", "BAD")
    await until(lambda: len(receiver.stored) == 9)
    assert receiver.stored[-1]["event_id"] == str(events[7].event_id)

    # Ten events before its start are no business of the live stream; the next one is, and waits for the hourly flush.
    await write_events(database, [make_event(project, "login")])
    header, row = (line.split("\t") for line in (await deliveries("show")).splitlines())
    shown_now = dict(zip(header, row, strict=True))
    assert {name: shown_now[name] for name in ("destination", "state", "breaker", "received", "pending")} == {
        "destination": "webhook",
        "state": "running",
        "breaker": "closed",
        "received": "1",
        "pending": "1",
    }
    _, hour = (await deliveries("breakdown", "--from", "2026-03-10", "--to", "2026-03-11")).splitlines()
    assert hour.startswith("2026-03-10T12:00+00:00\twebhook\tlogin\t1\t1\t0\t")
    header, row = (line.split("\t") for line in (await deliveries("reconciliation")).splitlines())
    answered = dict(zip(header, row, strict=True))
    assert (answered["destination"], answered["replay"]) == ("webhook", "1")
    assert (answered["acknowledged"], answered["delivered_events"], answered["difference"]) == ("9", "9", "0")
    for command in ("breakdown", "reconciliation"):
        assert "no destination 'webhok'" in await deliveries(command, "--destination", "webhok", code=2)
        assert "from is not a time" in await deliveries(command, "--from", "yesterday", code=2)

    slow = await deliveries(
        "replay", "webhook", "--from", "2026-03-01", "--rate", "1", "--event-type", "page_view"
    )
    assert "Replay 2" in slow
    assert "\tpaused\t" in await deliveries("pause", "2")
    assert "paused by hand" in await deliveries("replays", "--destination", "webhook")
    assert "\trunning\t" in await deliveries("resume", "2", "--rate", "2")
    await deliveries("pause", "2")
    assert "\tcancelled\t" in await deliveries("cancel", "2")
    assert "cancelled already" in await deliveries("resume", "2", code=2)
    assert "no destination 'mixpanel'" in await deliveries("replay", "mixpanel", code=2)
    assert "nothing to send" in await deliveries("replay", "webhook", "--property", "plan=pro", code=2)
    assert await asyncio.to_thread(server.stop) == 0
