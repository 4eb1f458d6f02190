"""`analytics-api alerts`, with a server and its worker that do the rest by themselves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from typer.testing import CliRunner, Result

from analytics_api.cli import app
from analytics_api.errors import AnalyticsError
from tests.support.alerting import AlertReceiver
from tests.support.processes import ServerProcess, clean_environment
from tests.support.serving import until


async def command(env: Mapping[str, str], *arguments: str, given: str = "") -> Result:
    """Run it in a thread of this process, which is some ten times faster than one of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=env, input=given)


async def test_from_a_paused_destination_to_a_message(
    database_url: str,
    receiver: AlertReceiver,
    process: Callable[..., ServerProcess],
    tmp_path: Path,
) -> None:
    env = {
        "ANALYTICS__DATABASE_URL": database_url,
        "ANALYTICS__SECRET_KEY": "a key of sixteen characters",
        "ANALYTICS__ALLOW_PRIVATE_DESTINATIONS": "true",
        "ANALYTICS__FLUSH_INTERVAL_SECONDS": "3600",
    }

    async def run(*arguments: str, given: str = "") -> str:
        done = await command(env, *arguments, given=given)
        assert done.exit_code == 0, done.output
        return done.stdout

    secret = f"{receiver.secret}\n"
    options = ("--option", f"url={receiver.url}/hook", "--secret", "secret")
    added = await run("alerts", "channels", "add", "webhook", "--name", "on call", *options, given=secret)
    assert "Try it: analytics-api alerts channels test 1" in added
    assert "was taken" in await run("alerts", "channels", "test", "1")
    await run("destinations", "add", "webhook", *options, given=secret)
    await run("destinations", "pause", "webhook")
    await run(
        *("alerts", "rules", "add", "missing_event_type", "--name", "no signups", "--remind", "0"),
        *("--parameter", "event_type=signup", "--parameter", "minutes=5", "--channel", "1"),
    )
    server = await asyncio.to_thread(process, env, "serve", "--with-worker")
    await until(lambda: len(receiver.alerts) == 2)
    assert receiver.told == [("test", "channel:on call"), ("firing", "destination:webhook")]
    number, state, _, subject, text = (await run("alerts", "list")).rstrip("\n").split("\t")
    assert (state, subject) == ("firing", "destination:webhook")
    assert text == "Destination webhook is paused: paused by hand"
    await run("alerts", "acknowledge", number)
    assert (await run("alerts", "list")).endswith("\tacknowledged\n")
    rules = (await run("alerts", "rules", "list")).splitlines()
    assert "1\tno signups\tmissing_event_type\ton\tminutes=5 event_type=signup" in rules
    paused = next(line.split("\t")[0] for line in rules if "destination_paused" in line)
    await run("alerts", "rules", "disable", paused)
    await until(lambda: len(receiver.alerts) == 3)
    assert receiver.told[-1] == ("resolved", "destination:webhook")
    assert await run("alerts", "list") == "Nothing is firing in project default.\n"
    assert "resolved" in await run("alerts", "list", "--history", "5")
    await run("alerts", "rules", "enable", paused)
    await run("alerts", "rules", "remove", "1")
    assert (await run("alerts", "channels", "list")) == (
        f"1\ton call\twebhook\tok\t0 waiting\turl={receiver.url}/hook\n"
    )
    assert await asyncio.to_thread(server.stop) == 0
    await run("alerts", "channels", "remove", "1")


async def test_mistakes_are_one_sentence(database_url: str) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SECRET_KEY": "a key of sixteen characters"}

    async def mistake(*arguments: str, **more: str) -> str:
        done = await command({**env, **more}, "alerts", *arguments)
        assert isinstance(done.exception, AnalyticsError), done.output
        return done.exception.detail

    mail = ("channels", "add", "email", "--name", "me", "--option", "to=me@example.org")
    assert await mistake(*mail) == (
        "kind: e-mail needs a mail server: set ANALYTICS__SMTP_HOST and ANALYTICS__SMTP_FROM."
    )
    assert await mistake("list", ANALYTICS__SMTP_HOST="localhost") == (
        "ANALYTICS__SMTP_FROM is missing: ANALYTICS__SMTP_HOST needs it."
    )
    rule = ("rules", "add", "backlog_age", "--name", "x", "--parameter", "m=1")
    assert "parameters.m: 'm' is not known" in await mistake(*rule)
    assert await mistake("acknowledge", "1") == "Project default has no alert 1 that is firing."


async def test_a_test_message_that_is_not_taken_is_an_exit_code(database_url: str, tmp_path: Path) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SECRET_KEY": "a key of sixteen characters"}
    slack = ("alerts", "channels", "add", "slack", "--name", "s", "--secret", "url")
    assert (await command(env, *slack, given="http://169.254.169.254/latest\n")).exit_code == 0
    sent = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "analytics_api", "alerts", "channels", "test", "1"],
        cwd=tmp_path,
        env=clean_environment(env),
        capture_output=True,
        text=True,
    )
    assert sent.returncode == 1
    assert "ANALYTICS__ALLOW_PRIVATE_DESTINATIONS" in sent.stderr
