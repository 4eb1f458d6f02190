"""Every documented call, with data made up from its own description, against the real process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.support.databases import running_server, scratch_database, text
from tests.support.processes import ServerProcess, clean_environment


@pytest.fixture(scope="module")
def schema(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[schemathesis.specs.openapi.schemas.OpenApiSchema]:
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
        schemathesis.auth.set_from_requests(_WithKey(key))
        yield schemathesis.openapi.from_url(f"{process.url}/openapi.json")
        process.stop()


class _WithKey(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-API-Key"] = self._key
        return request


def test_no_call_breaks_the_server_or_its_own_description(
    schema: schemathesis.specs.openapi.schemas.OpenApiSchema,
) -> None:
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=15, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            # What is taken and what is refused is for the tests of each room to say; no schema tells it all.
            case.call_and_validate(excluded_checks=[negative_data_rejection, positive_data_acceptance])

        check()
        tried += 1
    assert tried >= 15
