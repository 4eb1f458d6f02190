"""`analytics-api users` and the owner that the first start makes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from analytics_api.access.first_owner import make_first_owner
from analytics_api.errors import ConfigurationError
from tests.support.commands import analytics_api
from tests.support.events import NOW, open_database
from tests.support.processes import ServerProcess

LOGIN = "/api/v1/analytics/auth/login"


def log_in(url: str, username: str, password: str) -> int:
    return httpx.post(url + LOGIN, json={"username": username, "password": password}).status_code


async def test_the_first_start_shows_a_password_that_works_and_the_second_none(
    database_url: str, tmp_path: Path, process: Callable[..., ServerProcess]
) -> None:
    env = {"ANALYTICS__DATABASE_URL": database_url}
    first = process(env)
    (shown,) = re.findall(r"Log in as admin with the password (\S+)", first.output)
    assert log_in(first.url, "admin", shown) == 200

    made = await analytics_api(
        env, tmp_path, "users", "create", "Ada@example.com", "--role", "viewer", "-p", "default"
    )
    password = made.stdout.splitlines()[-1]
    assert log_in(first.url, "ada@example.com", password) == 200
    listed = await analytics_api(env, tmp_path, "users", "list")
    assert "owner everywhere" in listed.stdout
    assert re.search(r"ada@example\.com\tactive\t.*default:viewer", listed.stdout)

    given = await analytics_api(
        env,
        tmp_path,
        "users",
        "reset-password",
        "ada@example.com",
        "--ask-password",
        given="six words of ada's very own\n",
    )
    assert (given.returncode, given.stdout) == (0, "")
    assert log_in(first.url, "ada@example.com", password) == 401
    assert log_in(first.url, "ada@example.com", "six words of ada's very own") == 200
    for command, status in (("disable", 401), ("enable", 200), ("remove", 401)):
        assert (await analytics_api(env, tmp_path, "users", command, "ada@example.com")).returncode == 0
        assert log_in(first.url, "ada@example.com", "six words of ada's very own") == status
    missing = await analytics_api(env, tmp_path, "users", "remove", "ada@example.com")
    assert (missing.returncode, "There is no user" in missing.stderr) == (2, True)
    first.stop()

    second = process(env)
    assert "Log in as" not in second.output
    second.stop()


async def test_the_password_of_the_settings_is_the_first_owners(database_url: str) -> None:
    async with open_database(database_url) as database:
        with pytest.raises(ConfigurationError, match="ADMIN_PASSWORD: password: is easy to guess"):
            await make_first_owner(database, "adminadminadmin", NOW)
        answers = await asyncio.gather(
            *(make_first_owner(database, "four words with spaces", NOW) for _ in range(3))
        )
        assert answers == [None] * 3
        async with database.acquire() as connection:
            assert await connection.fetchval("SELECT array_agg(username) FROM users") == ["admin"]
