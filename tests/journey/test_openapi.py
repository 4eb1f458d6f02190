"""Every documented call, with data made up from its own description, against the real process: with keys and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from analytics_api.domain.clock import system_clock
from analytics_api.domain.project import KeyKind
from analytics_api.store.keys import create_key
from tests.support.databases import in_thread, running_server, scratch_database, text
from tests.support.events import make_project, open_database
from tests.support.processes import ServerProcess

SAID_ELSEWHERE = [ignored_auth, negative_data_rejection, positive_data_acceptance]
"""What is taken and what is refused is for the tests of each room; no description tells it all."""


WITHOUT_KEY = {"/health/live", "/health/ready", "/metrics"}
TAKES_ITS_OWN = ("/auth/login", "/invitations/", "/shares/inspect", "/shares/open", "/webhooks/")
"""What these need stands in the body."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """The description of a running server, and the address of its database."""
    folder = tmp_path_factory.mktemp("openapi")
    with (
        running_server() as server,
        scratch_database(server) as url,
        ServerProcess({"ANALYTICS__DATABASE_URL": text(url)}, folder, "serve") as process,
    ):
        process.start()
        yield schemathesis.openapi.from_url(f"{process.url}/openapi.json"), text(url)
        process.stop()


async def make_key(url: str, kind: KeyKind) -> str:
    async with open_database(url) as database:
        project = await make_project(database)
        async with database.write() as connection:
            return await create_key(connection, project.id, kind, now=system_clock())


def each_call(schema: Any, examples: int, look: Callable[[Any], None]) -> int:
    """Make each call with some examples; how many calls there are."""
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            look(case)

        check()
        tried += 1
    return tried


def test_no_call_breaks_the_server_or_its_own_description(api: tuple[Any, str]) -> None:
    schema, url = api
    keys: dict[str, str] = {}

    def look(case: Any) -> None:
        call = f"{case.method} {case.path}"
        if call not in keys:
            # One for each call: some calls end keys.
            keys[call] = in_thread(make_key(url, KeyKind.ADMIN))
        case.call_and_validate(headers={"X-API-Key": keys[call]}, excluded_checks=SAID_ELSEWHERE)

    # Streams do not end.
    assert each_call(schema.exclude(path_regex="/stream$"), 10, look) >= 90


def test_without_a_key_nothing_is_told_and_nothing_breaks(api: tuple[Any, str]) -> None:
    schema, url = api
    public = in_thread(make_key(url, KeyKind.WRITE))

    def look(case: Any) -> None:
        if case.path in WITHOUT_KEY or any(part in case.path for part in TAKES_ITS_OWN):
            assert case.call().status_code < 500 or case.path == "/health/ready"
            return
        for headers, refused in (({}, 401), ({"X-API-Key": public}, 403)):
            case.cookies = {}
            status = case.call(headers=headers).status_code
            sends = refused == 403 and case.method == "POST" and case.path.split("/")[-1] in SENDING
            alone = refused == 403 and "/auth/" in case.path
            assert (status < 500) if sends else status in ((401,) if alone else (refused, 401)), (
                case.path,
                status,
            )

    assert each_call(schema, 2, look) >= 90


SENDING = {"events", "track-share", "downloads", "uploads", "generations", "visits"}
"""What a public key is for."""
