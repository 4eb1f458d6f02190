"""Every documented call, with data made up from its own description, against the real process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from tests.support.databases import running_server, scratch_database, text
from tests.support.processes import ServerProcess, clean_environment

SAID_ELSEWHERE = [ignored_auth, negative_data_rejection, positive_data_acceptance]
"""What is taken and what is refused is for the tests of each room; no description tells it all."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """The description of a running server, and an admin key."""
    folder = tmp_path_factory.mktemp("openapi")
    with (
        running_server() as server,
        scratch_database(server) as url,
        ServerProcess({"ANALYTICS__DATABASE_URL": text(url)}, folder, "serve") as process,
    ):
        process.start()
        key = subprocess.run(
            [sys.executable, "-m", "analytics_api", "keys", "create", "--kind", "admin"],
            cwd=folder,
            env=clean_environment({"ANALYTICS__DATABASE_URL": text(url)}),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        yield schemathesis.openapi.from_url(f"{process.url}/openapi.json"), key
        process.stop()


def test_no_call_breaks_the_server_or_its_own_description(api: tuple[Any, str]) -> None:
    schema, key = api
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=15, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            case.call_and_validate(
                headers={"X-API-Key": key},
                excluded_checks=SAID_ELSEWHERE,
            )

        check()
        tried += 1
    assert tried >= 15
